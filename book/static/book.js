document.addEventListener("DOMContentLoaded", () => {
  // Widgets hand their text to MathJax in the way of its version 2; this passes it on to version 3, which the pages use.
  if (window.MathJax?.startup) {
    window.MathJax.Hub ??= {
      Queue: ([, , element]) => MathJax.startup.promise.then(() => MathJax.typesetPromise([element])),
    };
  }
  // A slider's handle has no name of its own for screen readers: it takes the label beside it.
  const name = () => {
    for (const handle of document.querySelectorAll(".noUi-handle:not([aria-label])")) {
      handle.ariaLabel = handle.closest(".jupyter-widgets")?.querySelector(".widget-label")?.textContent ?? "";
    }
  };
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
});
