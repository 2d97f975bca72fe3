"use strict";
(function () {
  const box = document.getElementById("q"), hits = document.getElementById("hits");
  const nav = document.getElementById("nav"), menu = document.getElementById("menu");

  // What can be found: every builtin, every argument and output.
  const all = [];
  for (const s of document.querySelectorAll("section.entry")) {
    const title = s.querySelector("h3").textContent;
    all.push({ id: s.id, name: title, text: s.dataset.summary || "", more: "" });
    for (const a of s.querySelectorAll(".arg[id]")) {
      const name = a.querySelector("code").textContent;
      all.push({ id: a.id, name: name, of: title, text: a.querySelector("dd").textContent, more: a.querySelector("dt").textContent });
    }
  }

  // rank says how well an entry is what was asked for; 0: not at all.
  function rank(e, words) {
    let sum = 0;
    for (const w of words) {
      const name = e.name.toLowerCase(), full = ((e.of || "") + "." + name).toLowerCase();
      if (name === w || full === w) sum += 100;
      else if (name.startsWith(w)) sum += 60;
      else if (name.includes(w) || full.includes(w)) sum += 40;
      else if (e.more.toLowerCase().includes(w)) sum += 20;
      else if (e.text.toLowerCase().includes(w)) sum += 10;
      else return 0;
    }
    return e.of ? sum : sum + 5;
  }

  let chosen = 0;
  function choose(n) {
    const items = hits.querySelectorAll("li[role]");
    if (!items.length) return;
    chosen = (n + items.length) % items.length;
    items.forEach((li, i) => li.setAttribute("aria-selected", String(i === chosen)));
    items[chosen].scrollIntoView({ block: "nearest" });
  }

  function search() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits.textContent = "";
    hits.hidden = !words.length;
    if (!words.length) return;
    const found = all.map(e => [rank(e, words), e]).filter(f => f[0] > 0).sort((a, b) => b[0] - a[0]).slice(0, 40);
    for (const [, e] of found) {
      const li = document.createElement("li"), a = document.createElement("a"), small = document.createElement("small");
      li.setAttribute("role", "option");
      a.href = "#" + e.id;
      a.tabIndex = -1;
      a.textContent = e.of ? e.of + ": " + e.name : e.name;
      small.textContent = e.text;
      a.append(small);
      li.append(a);
      hits.append(li);
    }
    if (!found.length) {
      const li = document.createElement("li");
      li.className = "none";
      li.textContent = "Nothing is called that.";
      hits.append(li);
    }
    choose(0);
  }

  function close() {
    hits.hidden = true;
    nav.classList.remove("open");
    menu.setAttribute("aria-expanded", "false");
  }

  box.addEventListener("input", search);
  box.addEventListener("focus", search);
  box.addEventListener("keydown", ev => {
    if (ev.key === "ArrowDown") choose(chosen + 1);
    else if (ev.key === "ArrowUp") choose(chosen - 1);
    else if (ev.key === "Enter") {
      const a = hits.querySelectorAll("li[role] a")[chosen];
      if (a) { location.hash = a.getAttribute("href"); box.blur(); close(); }
    } else if (ev.key === "Escape") { box.value = ""; close(); box.blur(); }
    else return;
    ev.preventDefault();
  });
  hits.addEventListener("click", close);
  nav.addEventListener("click", ev => { if (ev.target.closest("a")) close(); });
  menu.addEventListener("click", () => menu.setAttribute("aria-expanded", String(nav.classList.toggle("open"))));
  document.addEventListener("click", ev => { if (!ev.target.closest(".search")) hits.hidden = true; });
  document.addEventListener("keydown", ev => {
    if (ev.key === "/" && document.activeElement !== box && !ev.ctrlKey && !ev.metaKey && !ev.altKey) {
      ev.preventDefault();
      box.focus();
      box.select();
    } else if (ev.key === "Escape") close();
  });

  // The sidebar shows what is read.
  const links = new Map([...nav.querySelectorAll("a")].map(a => [a.getAttribute("href").slice(1), a]));
  const reading = new IntersectionObserver(entries => {
    for (const e of entries) {
      const a = links.get(e.target.id);
      if (!a || !e.isIntersecting) continue;
      for (const b of links.values()) b.classList.toggle("here", b === a);
    }
  }, { rootMargin: "-15% 0px -80% 0px" });
  document.querySelectorAll("section.entry").forEach(s => reading.observe(s));
})();
