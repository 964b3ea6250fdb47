// What scrolls sideways can also be reached and scrolled by keyboard: wide formulas and wide tables.
function letKeysScroll() {
  for (const box of document.querySelectorAll(".bd-article div.math, .bd-article mjx-container, .bd-article .output")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
window.addEventListener("load", () => {
  (window.MathJax?.startup?.promise ?? Promise.resolve()).then(letKeysScroll);
});
window.addEventListener("resize", letKeysScroll);
