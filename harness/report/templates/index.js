"use strict";
(() => {
  const rows = [...document.querySelectorAll("tbody tr")];
  const form = document.querySelector(".filter"), said = form.querySelector("output");
  const search = form.querySelector("input[type=search]");
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const texts = rows.map(row => row.textContent.toLowerCase());
  const filter = () => {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const off = boxes.filter(box => !box.checked);
    let shown = 0;
    rows.forEach((row, place) => {
      const yes = wanted.every(word => texts[place].includes(word)) && !off.some(box => row.dataset[box.name] === box.value);
      row.hidden = !yes;
      shown += yes;
    });
    said.textContent = shown === rows.length ? `all ${rows.length}` : `${shown} of ${rows.length}`;
  };
  form.hidden = false;
  form.addEventListener("input", filter);
  filter();
})();
