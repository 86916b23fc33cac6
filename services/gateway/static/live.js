// Puts in what is new while the page is open. Without this script the page shows what it knew when it was opened.
"use strict";
(() => {
  const live = document.querySelector("[data-live]");
  if (!live || !window.EventSource || !window.fetch) return;
  let seen = live.dataset.seen;

  async function renew() {
    const answer = await fetch(live.dataset.page);
    if (!answer.ok || answer.redirected) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-part]")) {
      const now = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (now) part.replaceChildren(...now.childNodes);
    }
  }

  new EventSource(live.dataset.live).addEventListener("status", async (event) => {
    const { revision, status } = JSON.parse(event.data);
    if (revision === seen) return;
    seen = revision;
    await renew();
    live.textContent = "Vừa có thay đổi. Tình trạng: " + status.label + ".";
  });
})();
