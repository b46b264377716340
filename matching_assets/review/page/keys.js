// Keys for the buttons of the page: a button with data-key="y" is pressed by y. Without this file the buttons still work.
"use strict";

const toggle = document.getElementById("keys");
let on = sessionStorage.getItem("keys") !== "off"; // screen readers have keys of their own (WCAG 2.1.4)
let sent = false; // a second press while the page loads must not judge the next record unseen

function show() {
  toggle.hidden = false;
  toggle.textContent = on ? "Keys are on" : "Keys are off";
  toggle.setAttribute("aria-pressed", String(on));
}

if (toggle) {
  toggle.addEventListener("click", () => {
    on = !on;
    sessionStorage.setItem("keys", on ? "on" : "off");
    show();
  });
  show();
}

document.addEventListener("keydown", (event) => {
  if (!on || sent || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = document.querySelector(`button[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button) {
    event.preventDefault();
    button.click();
  }
});
document.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
window.addEventListener("pageshow", () => {
  sent = false;
  document.getElementById("name")?.focus();
});
