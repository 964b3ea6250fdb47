// What scrolls sideways can also be reached and scrolled by keyboard: wide formulas and wide tables.
const BOXES = ["pre", "div.math", "mjx-container", ".output", ".pst-scrollable-table-container"];
const SCROLLING = BOXES.map((box) => `.bd-article ${box}`).join();

function letKeysScroll() {
  for (const box of document.querySelectorAll(SCROLLING)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
window.addEventListener("load", () => {
  (window.MathJax?.startup?.promise ?? Promise.resolve()).then(letKeysScroll);
});
window.addEventListener("resize", letKeysScroll);
