// Shows the progress of an export in the background. Without this script, a link refreshes
// the page.
"use strict";

(() => {
  const card = () => document.getElementById("export-job");
  const progress = (within) => within.querySelector("#export-progress");
  const look = async () => {
    const answer = await fetch(location.href);
    if (!answer.ok) {
      // The page says why: the export expired, or the access changed.
      location.reload();
      return false;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("export-job");
    const now = card();
    if (next.dataset.state === now.dataset.state) {
      // Buttons stay, and keep the focus.
      progress(now).replaceWith(document.adoptNode(progress(next)));
    } else {
      const focused = now.contains(document.activeElement);
      now.replaceWith(document.adoptNode(next));
      document.getElementById("export-status").textContent = next.querySelector("h2").textContent;
      if (focused) next.querySelector("a, button").focus();
    }
    return "open" in card().dataset;
  };
  const follow = () => {
    look().then((open) => { if (open) setTimeout(follow, 1000); }, () => setTimeout(follow, 5000));
  };
  if (card() && "open" in card().dataset) setTimeout(follow, 1000);
})();
