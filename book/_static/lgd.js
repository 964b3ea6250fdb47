// What scrolls sideways can also be reached and scrolled by keyboard: wide formulas, code and tables.
const BOXES = ["pre", "div.math", "mjx-container", ".output", ".pst-scrollable-table-container"];
const SCROLLING = BOXES.map((box) => `.bd-article ${box}`).join();

function letKeysScroll() {
  for (const box of document.querySelectorAll(SCROLLING)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
}
// Formulas and fonts arrive late and change widths.
window.addEventListener("load", () => {
  const late = [window.MathJax?.startup?.promise, document.fonts?.ready];
  Promise.all(late).then(() => {
    letKeysScroll();
    new ResizeObserver(letKeysScroll).observe(document.body);
  });
});
window.addEventListener("resize", letKeysScroll);
