"use strict";
(() => {
  const pictures = [...document.querySelectorAll("svg[data-from]")];
  const number = (element, name) => Number(element.dataset[name]);

  // A flag, or a row of the evidence, opens the story that it leads to.
  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let outer = target.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
    const story = target.closest("details");
    const focused = story ? story.querySelector("summary") : target;
    focused.focus({ preventScroll: true });
    focused.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", follow);
  document.addEventListener("click", event => {
    const link = event.target.closest && event.target.closest("a[href^='#']");
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  follow();

  // Paper has no summaries to click on.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details.timeline:not([open])")];
    for (const story of closed) story.open = true;
  });
  addEventListener("afterprint", () => closed.forEach(story => { story.open = false; }));

  if (!pictures.length) return;
  const whole = [number(pictures[0], "from"), number(pictures[0], "to")];
  const least = (whole[1] - whole[0]) / 5000;
  let [from, to] = whole;
  const tools = document.querySelector(".tools");
  const said = tools.querySelector("output");

  const ticks = (left, right) => {
    const room = Math.max(2, Math.floor((right - left) / 80));
    let step = 10 ** Math.floor(Math.log10((to - from) / room));
    step *= [1, 2, 5, 10].find(times => (to - from) / (step * times) <= room);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const found = [];
    for (let i = Math.ceil(from / step - 1e-6); i * step <= to + step * 1e-6; i++)
      found.push([i * step, (i * step).toFixed(digits)]);
    return found;
  };
  const made = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  };
  const shown = (element, yes) => {
    if (yes) element.removeAttribute("visibility"); else element.setAttribute("visibility", "hidden");
  };

  const draw = svg => {
    const left = number(svg, "left"), right = number(svg, "right"), span = whole[1] - whole[0];
    const old = t => left + (t - whole[0]) / span * (right - left);
    const stretch = span / (to - from);
    const x = at => left + (at - old(from)) * stretch;
    const plot = svg.querySelector(".plot").viewBox.baseVal;
    plot.x = old(from);
    plot.width = (right - left) / stretch;
    for (const flag of svg.querySelectorAll(".flag")) {
      const at = x(number(flag, "x"));
      flag.setAttribute("transform", `translate(${at} ${flag.dataset.y})`);
      flag.style.display = at < left - 1 || at > right + 1 ? "none" : "";
    }
    for (const owner of svg.querySelectorAll(".owner")) {
      const begin = Math.max(left, x(number(owner, "x")));
      const end = Math.min(right, x(number(owner, "x") + number(owner, "width")));
      owner.setAttribute("x", begin + 4);
      shown(owner, owner.textContent.length * 6.6 + 8 <= end - begin);
    }
    let free = 0;
    for (const label of svg.querySelectorAll(".at")) {
      const at = x(number(label, "x")), room = label.textContent.length * 6.6;
      const begin = at + room > right ? at - room : at;
      label.setAttribute("text-anchor", begin === at ? "start" : "end");
      label.setAttribute("x", at);
      const fits = at >= left && at <= right && begin >= free;
      shown(label, fits);
      if (fits) free = begin + room + 10;
    }
    const axis = svg.querySelector(".ticks"), base = number(axis, "y");
    axis.replaceChildren();
    for (const [t, label] of ticks(left, right)) {
      const at = x(old(t));
      made("line", { class: "axis", x1: at, x2: at, y1: base, y2: base + 4 }, axis);
      made("text", { x: at, y: base + 17, "text-anchor": "middle" }, axis).textContent = label;
    }
  };

  const zoom = (a, b) => {
    const length = Math.min(Math.max(b - a, least), whole[1] - whole[0]);
    from = Math.min(Math.max((a + b - length) / 2, whole[0]), whole[1] - length);
    to = from + length;
    pictures.forEach(draw);
    const all = length === whole[1] - whole[0];
    said.textContent = all ? "all of the run" : `${from.toFixed(3)} s to ${to.toFixed(3)} s`;
    tools.querySelector("[data-do=all]").disabled = all;
  };
  const by = factor => zoom((from + to) / 2 - (to - from) * factor / 2, (from + to) / 2 + (to - from) * factor / 2);
  const move = share => zoom(from + (to - from) * share, to + (to - from) * share);
  const deeds = {
    in: () => by(0.5), out: () => by(2), earlier: () => move(-0.3), later: () => move(0.3), all: () => zoom(...whole),
  };
  const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "earlier", ArrowRight: "later", 0: "all", Escape: "all" };
  tools.hidden = false;
  tools.addEventListener("click", event => {
    const button = event.target.closest("button");
    if (button) deeds[button.dataset.do]();
  });
  document.getElementById("time").closest("section").addEventListener("keydown", event => {
    const name = !event.ctrlKey && !event.metaKey && !event.altKey && keys[event.key];
    if (!name) return;
    event.preventDefault();
    deeds[name]();
  });

  for (const svg of pictures) {
    const left = number(svg, "left"), right = number(svg, "right");
    const place = event => {
      const box = svg.getBoundingClientRect();
      const at = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
      return Math.min(right, Math.max(left, at));
    };
    let begin = null, band = null;
    const over = () => { if (band) band.remove(); begin = band = null; };
    svg.addEventListener("dragstart", event => event.preventDefault());
    svg.addEventListener("pointerdown", event => {
      if (event.button === 0 && !event.target.closest("a")) begin = place(event);
    });
    svg.addEventListener("pointermove", event => {
      if (begin === null) return;
      const at = place(event);
      if (!band && Math.abs(at - begin) > 4) {
        svg.setPointerCapture(event.pointerId);
        band = made("rect", { class: "selection", y: 0, height: svg.viewBox.baseVal.height - 40 }, svg);
      }
      if (!band) return;
      band.setAttribute("x", Math.min(at, begin));
      band.setAttribute("width", Math.abs(at - begin));
    });
    svg.addEventListener("pointerup", event => {
      const t = at => from + (at - left) / (right - left) * (to - from), at = place(event);
      if (band) zoom(t(Math.min(at, begin)), t(Math.max(at, begin)));
      over();
    });
    svg.addEventListener("pointercancel", over);
    svg.addEventListener("dblclick", deeds.all);
  }
  zoom(...whole);
})();
