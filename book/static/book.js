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
  // Which lessons a reader has done stays in the browser: a button below each, a tick in the table of contents.
  const key = "simplebits-read";
  const done = new Set(JSON.parse(localStorage.getItem(key) ?? "[]"));
  const lesson = (address) => new URL(address, location).pathname.match(/\/notebooks\/(\w+)\.html$/)?.[1];
  const tick = () => {
    for (const link of document.querySelectorAll(".bd-sidebar-primary nav a")) {
      link.classList.toggle("sb-read", done.has(lesson(link.href)));
    }
  };
  const here = lesson(location.href);
  const article = document.querySelector("article.bd-article");
  if (here && article) {
    const button = document.createElement("button");
    button.className = "sb-mark-read";
    const say = () => {
      button.textContent = done.has(here) ? "✓ Read" : "Mark as read";
      button.setAttribute("aria-pressed", done.has(here));
    };
    button.addEventListener("click", () => {
      done.has(here) ? done.delete(here) : done.add(here);
      localStorage.setItem(key, JSON.stringify([...done]));
      say();
      tick();
    });
    say();
    article.append(button);
  }
  tick();
  new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
});
