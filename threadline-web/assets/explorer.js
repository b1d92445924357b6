// The pages work without this script. It adds keyboard shortcuts, copying, the selection of a
// time range in the histogram, completion, newer changes, and times in the viewer's time zone.
"use strict";

(() => {
  const texts = JSON.parse(document.currentScript.dataset.texts);
  const told = (name, holes = {}) => texts[name].replace(/\{(\w+)\}/g, (hole, key) => holes[key] ?? hole);
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const made = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  const status = made("p", { className: "said" });
  status.setAttribute("role", "status");
  document.body.append(status);
  let fading;
  const say = (text) => {
    status.textContent = text;
    clearTimeout(fading);
    fading = setTimeout(() => { status.textContent = ""; }, 4000);
  };
  const dialog = (title, ...content) => {
    const close = made("button", { type: "button", textContent: told("close") });
    const box = made("dialog", { className: "box" }, made("h2", { textContent: title }), ...content, close);
    box.setAttribute("aria-label", title);
    close.addEventListener("click", () => box.close());
    box.addEventListener("close", () => box.remove());
    document.body.append(box);
    box.showModal();
    return box;
  };

  // Each time is in UTC and in the viewer's time zone, which the footer names.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const local = (date, options) => new Intl.DateTimeFormat(document.documentElement.lang + "-GB", options).format(date);
  const clock = (date, options) => local(date, { ...options, dateStyle: "short", timeStyle: "medium" });
  let differs = false;
  const localize = (within) => {
    for (const time of all("time[datetime]", within)) {
      const date = new Date(time.dateTime);
      if (one(".local", time) || clock(date) === clock(date, { timeZone: "UTC" })) continue;
      differs = true;
      const sameDay = local(date, { dateStyle: "short" }) === local(date, { dateStyle: "short", timeZone: "UTC" });
      const day = sameDay ? {} : { day: "2-digit", month: "short" };
      const text = local(date, { ...day, hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZoneName: "short" });
      one(".at", time)?.after(" ", made("span", { className: "local", textContent: text }));
    }
    const named = one(".zone");
    if (named) named.textContent = told(differs || new Date().getTimezoneOffset() !== 0 ? "zone" : "same_zone", { zone });
  };
  localize(document);

  // Copying. If the browser refuses, the text is there to be copied by hand.
  const copy = async (text, done = told("copied")) => {
    try {
      await navigator.clipboard.writeText(text);
      say(done);
      return;
    } catch { /* Not allowed, or not a secure context. */ }
    const area = made("textarea", { value: text, readOnly: true, rows: 4, className: "offscreen" });
    document.body.append(area);
    area.select();
    let copied = false;
    try { copied = document.execCommand("copy"); } catch { /* Not allowed. */ }
    area.remove();
    if (copied) {
      say(done);
      return;
    }
    area.className = "by-hand";
    area.setAttribute("aria-label", told("copy_by_hand"));
    dialog(told("copy_by_hand"), area);
    area.select();
  };
  const button = (label, text) => {
    const element = made("button", { type: "button", className: "copy", title: label });
    element.setAttribute("aria-label", label);
    element.addEventListener("click", async (event) => {
      event.preventDefault();
      event.stopPropagation();
      const found = await text();
      if (found !== null) copy(found);
    });
    return element;
  };
  // A value that is cut is loaded whole.
  const whole = async (cell) => {
    const link = one("a.whole", cell);
    if (!link) return (one("pre, .text, .number", cell) ?? cell).textContent;
    try {
      const answer = await fetch(link.href);
      if (answer.ok) return await answer.text();
    } catch { /* Told below. */ }
    say(told("not_loaded"));
    return null;
  };
  const offers = (cell) => one(".text, .number, pre", cell) && !one(".cut", cell) && !one("button.copy", cell);
  // The buttons of a change are made when it is pointed at, focused or selected: a page has
  // hundreds of values.
  const offerCopies = (row) => {
    if (!row || row.dataset.copies) return;
    row.dataset.copies = "made";
    for (const cell of all("td.was, td.is, td.value", row).filter(offers)) {
      const column = one("th", cell.parentElement).textContent;
      const side = told(cell.classList.contains("was") ? "before" : "after");
      const label = cell.classList.contains("value") ? told("copy_state", { column }) : told("copy_value", { column, side });
      cell.append(button(label, () => whole(cell)));
    }
    for (const record of all("h3 a.record", row)) {
      const key = new URL(record.href).searchParams.get("key");
      if (key !== null) record.after(button(told("copy_key", { key: key.slice(0, 60) }), () => key));
    }
  };
  const ROWS = ".change, .values tbody tr";
  for (const event of ["pointerover", "focusin"]) {
    document.addEventListener(event, (happened) => offerCopies(happened.target.closest?.(ROWS)));
  }
  for (const head of all("h1 .key, h1 bdi:only-of-type, .facts dd bdi")) {
    const text = head.dataset.copy ?? head.textContent;
    const label = told("copy_id", { id: text.slice(0, 60) });
    const place = head.closest("dd a") ?? head;
    place.after(button(label, () => text));
  }
  for (const block of all(".copied")) {
    const element = button(told("copy_fix"), () => block.textContent);
    element.classList.add("shown");
    block.after(element);
  }

  // Dragging in the histogram selects a time range.
  const line = one("#q");
  const bound = (bar, name) => new RegExp("\\b" + name + ":(\\S+)").exec(new URLSearchParams(bar.getAttribute("href").split("?")[1]).get("q"))?.[1];
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
        const rest = line.value.replace(/(^|\s)(from|since|to|until):("[^"]*"|\S+)/g, " ").trim();
        const span = "from:" + bound(first, "from") + " to:" + bound(last, "to");
        location.href = "timeline?q=" + encodeURIComponent((rest + " " + span).trim());
      }
      from = null;
    });
    addEventListener("pointerup", () => setTimeout(() => { from = null; bars().forEach((bar) => bar.classList.remove("chosen")); }));
  }

  // The search line completes the names of filters, and of tables and columns that the viewer
  // can see.
  const terms = made("datalist", { id: "terms" });
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
    terms.replaceChildren(...found.map((term) => made("option", { value: head + sign + term })));
  };
  line.setAttribute("list", "terms");
  line.removeAttribute("autocomplete");
  line.addEventListener("focus", complete);
  line.addEventListener("input", complete);

  const load = async (link) => {
    const answer = await fetch(link.href ?? link);
    if (!answer.ok) throw new Error(answer.status);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  };

  // Newer changes are counted while the page is visible, until an answer is an error. They
  // appear above the others, which stay where they are on the screen.
  const newer = one("#newer");
  let counting = null;
  const count = async () => {
    if (document.visibilityState !== "visible" || !newer?.dataset.count) return;
    try {
      const answer = await fetch(newer.dataset.count, { headers: { accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.status);
      const { changes, more } = await answer.json();
      if (changes > 0) {
        newer.textContent = told(changes === 1 ? "one_newer" : "newer", { count: changes + (more ? "+" : "") });
        newer.classList.add("button");
      }
      if (more) clearInterval(counting);
    } catch { clearInterval(counting); counting = null; newer.dataset.stopped = "true"; }
  };
  if (newer) {
    counting = setInterval(count, 15000);
    document.addEventListener("visibilitychange", () => { if (counting !== null) count(); });
    newer.addEventListener("click", async (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      event.preventDefault();
      try {
        const page = await load(newer);
        const mark = one("#seen", page);
        const list = one(".transactions");
        // More than a page: the page with the newest is opened instead.
        if (!mark || !list) { location.href = newer.href; return; }
        const added = [];
        for (let item = mark.previousElementSibling; item; item = item.previousElementSibling) added.unshift(item);
        const first = list.firstElementChild;
        const top = first.getBoundingClientRect().top;
        one("#seen")?.remove();
        list.prepend(...added, ...(added.length ? [mark] : []));
        localize(list);
        scrollBy(0, first.getBoundingClientRect().top - top);
        const changes = added.reduce((sum, item) => sum + all(".change", item).length, 0);
        say(told(["none_newer", "one_newer_shown"][changes] ?? "newer_shown", { count: changes }));
        const next = one("#newer", page);
        newer.setAttribute("href", next.getAttribute("href"));
        newer.dataset.count = next.dataset.count;
        newer.textContent = next.textContent;
        newer.classList.remove("button");
      } catch { location.href = newer.href; }
    });
  }

  // Keyboard shortcuts. Each has a condition under which it works and is listed.
  let selected = null;
  const rows = () => all(".change, .values tbody tr, .list:not(.values) tbody tr, ol.actions > li, .transaction.meant");
  const select = (row) => {
    selected?.classList.remove("current");
    selected = row;
    row.classList.add("current");
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    offerCopies(row.closest(ROWS));
  };
  const move = (by) => {
    const list = rows();
    const place = list.indexOf(selected);
    select(list[place < 0 ? (by > 0 ? 0 : list.length - 1) : Math.max(0, Math.min(list.length - 1, place + by))]);
  };
  const follow = (link) => { if (link) location.href = link.href; };
  const folded = new WeakMap();
  const unfold = async (row) => {
    const [table, more] = [one(".diff", row), one(".more a", row)];
    if (folded.has(row)) {
      const [before, link] = folded.get(row);
      folded.delete(row);
      table.replaceWith(before);
      if (link) before.after(link);
      say(told("folded"));
      return;
    }
    const link = more?.href ?? (one(".diff a.whole", row) && row.dataset.change);
    if (!link) { say(told("nothing_folded")); return; }
    try {
      const found = one(".diff", await load(link));
      folded.set(row, [table, more?.parentElement]);
      more?.parentElement.remove();
      table.replaceWith(found);
      delete row.dataset.copies;
      offerCopies(row);
      say(told("unfolded"));
    } catch { say(told("not_loaded")); }
  };
  // The pages of older changes have no way back but the one that was taken.
  const BACK = "newer than ";
  const older = one(".pager a.next:not(.columns)");
  const later = () => {
    const state = one(".slide a[rel=next]");
    const before = sessionStorage.getItem(BACK + location.href);
    return state ?? (before ? { href: before } : one(".pager a[rel=first]"));
  };
  older?.addEventListener("click", () => sessionStorage.setItem(BACK + older.href, location.href));
  const earlier = () => one(".slide a[rel=prev]") ?? older;
  const changeLink = (row) => {
    const own = row && one(".change", row.closest(".transaction") ?? row);
    return row?.dataset.change ?? own?.dataset.change;
  };
  const keys = {
    "/": ["key_search", () => true, () => line.select()],
    j: ["key_next", () => rows().length, () => move(1)],
    k: ["key_previous", () => rows().length, () => move(-1)],
    Enter: ["key_open", () => rows().some((row) => one("a", row)), () => follow(selected && (one("a.record", selected) ?? one("a.name", selected) ?? one("a", selected)))],
    o: ["key_unfold", () => one(".change .diff"), () => selected?.matches(".change") && unfold(selected)],
    t: ["key_transaction", () => one(".transaction a.id, .actions a.id"), () => follow(selected && one("a.id", selected.closest(".transaction, li") ?? selected))],
    "[": ["key_earlier", earlier, () => { const link = earlier(); link?.click ? link.click() : follow(link); }],
    "]": ["key_later", later, () => follow(later())],
    n: ["key_new", () => newer, () => newer.click()],
    y: ["key_copy", () => true, () => copy(new URL(changeLink(selected) ?? location.href, location.href).href, told("link_copied"))],
    h: ["key_home", () => true, () => follow(one(".brand"))],
    "?": ["key_help", () => true, () => help()],
  };
  const help = () => {
    const list = document.createElement("dl");
    for (const [key, [text, works]] of Object.entries(keys)) {
      if (!works()) continue;
      list.append(made("dt", {}, made("kbd", { textContent: key })), made("dd", { textContent: told(text) }));
    }
    dialog(told("keys"), list).classList.add("keys");
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest("input, textarea, select")) {
      if (event.key === "Escape") {
        // A search field would be emptied.
        event.preventDefault();
        event.target.blur();
      }
      return;
    }
    if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
    const found = Object.hasOwn(keys, event.key) && keys[event.key];
    if (found && !one("dialog[open]") && found[1]()) {
      event.preventDefault();
      found[2]();
    }
  });
})();
