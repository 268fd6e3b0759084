"use strict";
// Replaces the parts of the page that the server sends again, writes times in the reader's zone, and filters lists.
(() => {
  const two = (n) => String(n).padStart(2, "0");

  // ago says how much time lies between two instants, in the words of the server.
  const ago = (seconds) => {
    const s = Math.max(1, Math.floor(seconds));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 172800) return `${Math.floor(s / 3600)} h`;
    return `${Math.floor(s / 86400)} d`;
  };

  const took = (seconds) => {
    const s = Math.max(0, seconds);
    if (s < 60) return `${s.toFixed(1)}s`;
    if (s < 3600) return `${Math.floor(s / 60)}m${two(Math.floor(s % 60))}s`;
    return `${Math.floor(s / 3600)}h${two(Math.floor((s % 3600) / 60))}m`;
  };

  const clock = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  const exact = (d) => `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(d)}`;

  const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };

  const tick = (root) => {
    const now = Date.now();
    for (const t of root.querySelectorAll("time")) {
      const at = new Date(t.dateTime);
      if (t.title && !t.dataset.zoned) { t.title = exact(at); t.dataset.zoned = "1"; }
      if ("ago" in t.dataset) write(t, ago((now - at) / 1000));
      else if ("in" in t.dataset) write(t, ago((at - now) / 1000));
      else if ("took" in t.dataset) write(t, took((now - at) / 1000));
      else if ("clock" in t.dataset) write(t, clock(at));
      else if ("exact" in t.dataset) write(t, exact(at));
    }
  };

  const filter = (input) => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of document.querySelectorAll(input.dataset.filter)) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((w) => text.includes(w));
    }
  };

  const filters = [...document.querySelectorAll("[data-filter]")];
  for (const input of filters) {
    input.closest("[hidden]")?.removeAttribute("hidden");
    input.addEventListener("input", () => filter(input));
  }

  // A row may name what it says, without figures that differ each time.
  const said = (row) => row.dataset.said ?? row.textContent;

  // What has changed is tinted: the smallest elements with an id whose text is new, otherwise the part.
  const tint = (part, before) => {
    const rows = [...part.querySelectorAll("li, tbody tr")];
    const fresh = rows.filter((r) => !before.has(said(r)));
    for (const r of rows.length && fresh.length < rows.length ? fresh : [part]) r.classList.add("changed");
  };

  const put = (part, f) => {
    const open = [...part.querySelectorAll("details[open]")].map((d) => d.id);
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const rows = new Set([...part.querySelectorAll("li, tbody tr")].map(said));
    part.innerHTML = f.html;
    part.dataset.version = f.version;
    tick(part);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    filters.forEach(filter);
    tint(part, rows);
  };

  // A sheet that a person has opened stays as it is until it is closed.
  const later = new Map();
  const replace = (f) => {
    const part = document.getElementById(f.id);
    if (!part || part.dataset.version === f.version) return;
    if (part.querySelector("details.sheet[open]")) { later.set(f.id, f); return; }
    later.delete(f.id);
    put(part, f);
  };
  document.addEventListener("toggle", (e) => {
    if (!e.target.classList.contains("sheet")) return;
    if (e.target.open) e.target.querySelector("input:not([type=hidden])")?.focus();
    else for (const f of [...later.values()]) replace(f);
  }, true);
  document.addEventListener("keydown", (e) => {
    const sheet = e.key === "Escape" && document.querySelector("details.sheet[open]");
    if (sheet) { sheet.open = false; sheet.querySelector("summary").focus(); }
  });

  const status = document.getElementById("stream");
  let source = null;
  let seen = document.body.dataset.live;
  const connect = () => {
    if (seen === undefined || source || document.hidden) return;
    const url = new URL(location.pathname.replace(/\/(approve|reject|cancel|pause|continue|retry)$/, ""), location.origin);
    url.search = location.search;
    url.searchParams.set("after", seen);
    source = new EventSource(url);
    source.addEventListener("open", () => write(status, ""));
    source.addEventListener("fragment", (e) => { seen = e.lastEventId; replace(JSON.parse(e.data)); });
    source.addEventListener("end", () => { source.close(); source = null; seen = undefined; });
    source.addEventListener("error", () => write(status, "not live: the server does not answer; tries again"));
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) { connect(); return; }
    source?.close();
    source = null;
  });

  tick(document);
  setInterval(() => tick(document), 1000);
  connect();
})();
