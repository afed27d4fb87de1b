// Keeps the page live: counts deadlines down, fetches itself again after each change, sends the forms without leaving.
// Without it everything still works: the page reloads itself and the forms are forms.
"use strict";
(() => {
  const FETCH_LIMIT_MS = 10_000, LEAST_GAP_MS = 500, MINUTE_MS = 60_000, RETRY_MS = 5_000, URGENT_S = 900;
  const byId = (id) => document.getElementById(id);
  const main = byId("now"), live = byId("live"), offline = byId("offline"), toast = byId("toast");
  let ahead = 0; // how far the server's clock is ahead of this one, in ms

  // --- deadlines ---
  const two = (n) => String(n).padStart(2, "0");
  const unit = (name, n) => main.dataset[name].replace("{n}", n);

  function countdown(s) {
    const h = Math.floor(s / 3600), rest = two(Math.floor((s % 3600) / 60)) + ":" + two(s % 60);
    return h ? h + ":" + rest : rest;
  }
  function span(s) {
    if (s < 60) return unit("s", s);
    if (s < 3600) return unit("min", Math.floor(s / 60));
    if (s < 48 * 3600) return unit("h", Math.floor(s / 3600)) + " " + unit("min", two(Math.floor((s % 3600) / 60)));
    return unit("d", Math.floor(s / 86400)) + " " + unit("h", Math.floor((s % 86400) / 3600));
  }
  function tick() {
    const now = Date.now() + ahead;
    for (const clock of document.querySelectorAll(".clock[data-due]")) {
      const left = Math.floor((Date.parse(clock.dataset.due) - now) / 1000), target = Number(clock.dataset.target);
      const soon = left < Math.min(URGENT_S, target ? target / 4 : URGENT_S);
      const state = left < 0 ? "over" : soon ? "soon" : "running";
      if (!clock.classList.contains(state)) clock.className = "clock " + state;
      const text = left < 0 ? main.dataset.over.replace("{span}", span(-left)) : countdown(left);
      const shown = clock.querySelector(".left"), bar = clock.querySelector("progress");
      if (shown.textContent !== text) shown.textContent = text;
      if (bar) bar.value = target - Math.max(0, left);
    }
  }

  // --- making one page out of another, without losing focus, scroll or what somebody is writing ---
  const isSame = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");

  function morph(from, to) {
    if (from.isEqualNode(to)) return;
    if (from.nodeType !== Node.ELEMENT_NODE) { from.nodeValue = to.nodeValue; return; }
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
    for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    if (from.nodeName === "TEXTAREA") return;
    let here = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const found = wanted.id ? from.querySelector(":scope > #" + CSS.escape(wanted.id)) : here;
      if (found && isSame(found, wanted)) {
        if (found !== here) from.insertBefore(found, here);
        else here = here.nextSibling;
        morph(found, wanted);
      } else {
        from.insertBefore(wanted, here);
      }
    }
    while (here) { const next = here.nextSibling; here.remove(); here = next; }
  }
  function show(html) {
    const page = new DOMParser().parseFromString(html, "text/html"), fresh = page.getElementById("now");
    if (!fresh) return;
    morph(main, document.adoptNode(fresh));
    if (document.title !== page.title) byId("announced").textContent = document.title = page.title;
    const icon = page.getElementById("icon");
    if (icon && byId("icon").getAttribute("href") !== icon.getAttribute("href")) byId("icon").setAttribute("href", icon.getAttribute("href"));
    setAhead();
    tick();
  }
  const setAhead = () => { ahead = Date.parse(main.dataset.now) - Date.now(); };

  // --- staying up to date ---
  let isFetching = false, isStale = false, knownAt = new Date();

  async function refresh() {
    if (isFetching) { isStale = true; return; }
    isFetching = true;
    try {
      const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
      if (answer.ok) { show(await answer.text()); knownAt = new Date(); setLive(true); }
    } catch { setLive(false); }
    await new Promise((done) => setTimeout(done, LEAST_GAP_MS));
    isFetching = false;
    if (isStale) { isStale = false; refresh(); }
  }
  function setLive(isLive) {
    live.hidden = false;
    live.classList.toggle("off", !isLive);
    live.lastElementChild.textContent = isLive ? live.dataset.live : live.dataset.offline;
    offline.hidden = isLive;
    if (!isLive) offline.textContent = offline.dataset.text.replace("{at}", knownAt.toLocaleTimeString());
  }
  let source;
  function listen() {
    source = new EventSource("/events");
    source.onopen = () => setLive(true);
    source.addEventListener("change", refresh);
    source.onerror = () => {
      setLive(false);
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
    };
  }

  // --- acting ---
  function say(text, isGood) {
    toast.textContent = text;
    toast.classList.toggle("good", isGood);
    toast.hidden = false;
    if (isGood) setTimeout(() => { if (toast.textContent === text) toast.hidden = true; }, 4000);
  }
  async function act(form) {
    const button = form.querySelector("button");
    button.setAttribute("aria-busy", "true");
    button.disabled = true;
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(FETCH_LIMIT_MS) });
      const html = await answer.text();
      if (answer.ok) { form.reset(); show(html); say(main.dataset.sent, true); main.focus({ preventScroll: true }); }
      else say(main.dataset.failed.replace("{why}", reason(html)), false);
    } catch { say(main.dataset.failed.replace("{why}", main.dataset.unreachable), false); }
    button.removeAttribute("aria-busy");
    button.disabled = false;
  }
  function reason(html) {
    const said = new DOMParser().parseFromString(html, "text/html").querySelector("[data-message]");
    return said ? said.textContent : html.slice(0, 300);
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form.act")) return;
    event.preventDefault();
    act(event.target);
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  window.addEventListener("pagehide", () => source && source.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted) { listen(); refresh(); } });
  setAhead();
  tick();
  setInterval(tick, 1000);
  setInterval(() => { if (!document.hidden) refresh(); }, MINUTE_MS);
  listen();
})();
