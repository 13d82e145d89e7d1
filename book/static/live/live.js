// The page computes in a worker, so that drawing never waits. A page that was opened from a disk may not load a second
// script into a worker; so every file here hands its text over as one function, which the page runs, and the worker too.
const Live = {
  parts: [],
  define(part) {
    this.parts.push(part);
    part(this);
  },
};
