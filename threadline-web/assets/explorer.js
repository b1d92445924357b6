// The pages work without this script. It adds keyboard shortcuts, the selection of a time range
// in the histogram, copying, and times in the viewer's time zone.
"use strict";

(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const status = document.createElement("p");
  status.className = "said";
  status.setAttribute("role", "status");
  document.body.append(status);
  let fading;
  const say = (text) => {
    status.textContent = text;
    clearTimeout(fading);
    fading = setTimeout(() => { status.textContent = ""; }, 2500);
  };
  const copy = (text, what) =>
    navigator.clipboard?.writeText(text).then(() => say(what + " copied"), () => say("Could not copy"));

  // The tooltip of a time also shows it in the viewer's time zone.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const time of all("time[datetime]")) {
    const local = new Date(time.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
    time.title += "\n" + local + " (" + zone + ")";
  }

  // Adds a button that copies a fix.
  for (const block of all(".copied")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(block.textContent, "Fix"));
    block.after(button);
  }

  // Dragging in the histogram selects a time range.
  for (const figure of all(".histogram")) {
    const svg = one("svg", figure);
    const bars = () => all("a", svg);
    let from = null;
    const at = (event) => event.target.closest?.(".histogram a");
    const mark = (a, b) => {
      const list = bars();
      const [low, high] = [list.indexOf(a), list.indexOf(b)].sort((x, y) => x - y);
      list.forEach((bar, place) => bar.classList.toggle("chosen", place >= low && place <= high));
      return [list[low], list[high]];
    };
    svg.addEventListener("dragstart", (event) => event.preventDefault());
    svg.addEventListener("pointerdown", (event) => { if (event.button === 0) from = at(event); });
    svg.addEventListener("pointermove", (event) => { const to = at(event); if (from && to) mark(from, to); });
    svg.addEventListener("click", (event) => {
      const to = at(event);
      if (from && to && from !== to) {
        event.preventDefault();
        const [first, last] = mark(from, to);
        const line = one("#q").value.replace(/(^|\s)(from|since|to|until):("[^"]*"|\S+)/g, " ").trim();
        const span = "from:" + first.dataset.from + " to:" + last.dataset.to;
        location.href = "timeline?q=" + encodeURIComponent((line + " " + span).trim());
      }
      from = null;
    });
    addEventListener("pointerup", () => setTimeout(() => { from = null; bars().forEach((bar) => bar.classList.remove("chosen")); }));
  }

  // The search line completes the names of filters, and of tables and columns that the viewer
  // can see.
  const line = one("#q");
  const terms = document.createElement("datalist");
  terms.id = "terms";
  line.after(terms);
  let known = null;
  const complete = async () => {
    known ??= fetch("api/tables").then((answer) => answer.json()).then((answer) => answer.tables, () => []);
    const tables = await known;
    const columns = [...new Set(tables.flatMap((table) => table.columns.map((column) => column.name)))];
    const names = ["table", "record", "op", "changed", "value", "was", "became", "actor", "type", "source",
      "request", "job", "correlation", "action", "status", "from", "to", "tx", "meta"];
    const after = {
      table: tables.map((table) => table.table), changed: columns,
      op: ["insert", "update", "delete", "truncate"], status: ["ok", "error"],
      from: ["1h", "24h", "today", "yesterday", "monday", "7d"],
      type: ["user", "admin", "service_account", "job", "system", "anonymous"], actor: ["nobody"],
      value: columns.map((name) => name + "="), was: columns.map((name) => name + "="), became: columns.map((name) => name + "="),
    };
    const [, head, sign, word] = /^(.*?)(-?)(\S*)$/.exec(line.value);
    const [name, value] = word.includes(":") ? word.split(/:(.*)/) : [null, word];
    const found = (name === null ? names.map((n) => n + ":") : (after[name] ?? []).map((v) => name + ":" + v))
      .filter((term) => term.startsWith(word) && term !== word)
      .slice(0, 12);
    terms.replaceChildren(...found.map((term) => Object.assign(document.createElement("option"), { value: head + sign + term })));
  };
  line.setAttribute("list", "terms");
  line.removeAttribute("autocomplete");
  line.addEventListener("focus", complete);
  line.addEventListener("input", complete);

  // Keyboard shortcuts.
  const rows = all(".transaction, .list tbody tr");
  let row = -1;
  const move = (by) => {
    if (!rows.length) return;
    rows[row]?.classList.remove("current");
    row = Math.max(0, Math.min(rows.length - 1, row + by));
    rows[row].classList.add("current");
    rows[row].tabIndex = -1;
    rows[row].focus({ preventScroll: true });
    rows[row].scrollIntoView({ block: "nearest" });
  };
  const follow = (link) => { if (link) location.href = link.href; };
  const inRow = (selector) => rows[row] && (one(selector, rows[row]) ?? one("a", rows[row]));
  const keys = {
    "/": ["search", () => one("#q").select()],
    j: ["next", () => move(1)],
    k: ["previous", () => move(-1)],
    Enter: ["open the record", () => follow(inRow("a.record"))],
    o: ["open the transaction and its values", () => follow(inRow("a.id"))],
    "[": ["earlier changes or state", () => follow(one("a[rel=prev]") ?? one("a.next"))],
    "]": ["later changes or state", () => follow(one("a[rel=next]:not(.next)") ?? one(".pager a:not(.next)"))],
    y: ["copy the link to this page", () => copy(location.href, "Link")],
    h: ["home", () => follow(one(".brand"))],
    "?": ["show this list", () => help()],
  };
  const help = () => {
    let dialog = one("dialog.keys");
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.className = "keys";
      const list = document.createElement("dl");
      for (const [key, [text]] of Object.entries(keys)) {
        const name = document.createElement("dt");
        const kbd = document.createElement("kbd");
        kbd.textContent = key;
        name.append(kbd);
        const what = document.createElement("dd");
        what.textContent = text;
        list.append(name, what);
      }
      const title = document.createElement("h2");
      title.textContent = "Keys";
      dialog.setAttribute("aria-label", "Keys");
      dialog.append(title, list);
      document.body.append(dialog);
    }
    dialog.showModal();
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = event.target.closest("input, textarea, select");
    if (typing) {
      if (event.key === "Escape") typing.blur();
      return;
    }
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    const found = keys[event.key];
    if (found && !one("dialog[open]")) {
      event.preventDefault();
      found[1]();
    }
  });
})();
