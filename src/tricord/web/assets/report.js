(() => {
  "use strict";
  const FEW = 60; // up to here each point gets a dot, and there is nothing to zoom into
  const LANE = 17; // height of one row of mark labels, in pixels
  const LANES = 4;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const wash = (name, share) => `color-mix(in srgb, ${colour(name)} ${share}%, transparent)`;
  const formats = {
    number: new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 }),
    percent: new Intl.NumberFormat("en-US", { style: "percent", maximumFractionDigits: 1 }),
  };
  const shown = (value, unit) => {
    if (value == null) return "–";
    if (unit === "number" && value && !(Math.abs(value) >= 1e-4 && Math.abs(value) < 1e15)) return value.toExponential(2);
    return formats[unit].format(value);
  };
  // the numbers of one axis, all with the decimals that the neediest has
  const alike = (values, unit) => {
    const texts = values.map((value) => shown(value, unit));
    if (unit === "percent" || texts.some((text) => text.includes("e"))) return texts;
    const decimals = Math.max(0, ...texts.map((text) => (text.split(".")[1] ?? "").length));
    return values.map((value) => value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  };

  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text != null) element.textContent = text;
    return element;
  };

  const instant = (seconds) => {
    const date = new Date(seconds * 1000);
    return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace("T", " ").replace(/(:00)?\.000Z$/, "");
  };
  // a tick of the time axis, as fine as the steps between ticks
  const moment = (seconds, step) => {
    const text = new Date(seconds * 1000).toISOString();
    if (step >= 86400 * 28) return text.slice(0, 7);
    if (step >= 86400) return text.slice(0, 10);
    if (text.slice(11, 19) === "00:00:00") return text.slice(5, 10);
    return text.slice(11, step >= 60 ? 16 : 19);
  };
  const where = (data, x) =>
    data.labels ? data.labels[x] ?? "" : data.time ? instant(x) : x.toLocaleString("en-US", { maximumSignificantDigits: 10 });

  // uPlot wants columns: x, then for each line its values and the edges of its band
  function columns(data) {
    const all = [data.x];
    for (const line of data.lines) all.push(line.y, line.low ?? line.y.map(() => null), line.high ?? line.y.map(() => null));
    return all;
  }

  function series(data) {
    const all = [{}];
    const bands = [];
    const few = data.x.length <= FEW;
    data.lines.forEach((line, place) => {
      const name = `c${place % 6}`;
      const edge = { points: { show: false }, width: 0, stroke: "transparent" };
      all.push(
        {
          label: line.name,
          stroke: () => colour(name),
          width: few ? 2 : 1.5,
          dash: line.dashed ? [7, 5] : undefined,
          points: few ? { show: true, size: 6, width: 2, fill: () => colour("panel") } : {},
        },
        edge,
        { ...edge },
      );
      const low = all.length - 2;
      if (line.low) bands.push({ series: [low + 1, low], fill: () => wash(name, 16) });
    });
    return { all, bands };
  }

  // Which row each mark's label stands in, so that no two overlap; -1 where there is no room left.
  function lanes(data, place, wide, measure) {
    const ends = [];
    return data.marks.map((mark, index) => ({ mark, index, at: place(mark.x) }))
      .sort((a, b) => a.at - b.at)
      .map(({ mark, index, at }) => {
        const half = measure(mark.label) / 2 + 5;
        const left = Math.min(Math.max(at - half, 0), Math.max(wide - 2 * half, 0));
        let lane = ends.findIndex((end) => end <= left);
        if (lane < 0) lane = ends.length < LANES && 2 * half <= wide ? ends.length : -1;
        if (lane >= 0) ends[lane] = left + 2 * half;
        return { mark, index, at, lane, middle: left + half };
      });
  }

  const font = () => `600 11.5px ${getComputedStyle(document.body).fontFamily}`;

  function draw(box, data) {
    const { all, bands } = series(data);
    const pen = document.createElement("canvas").getContext("2d");
    const measure = (text) => {
      pen.font = font();
      return pen.measureText(text).width;
    };
    const known = [data.x[0], data.x[data.x.length - 1], ...data.marks.map((mark) => mark.x)];
    let from = Math.min(...known);
    let to = Math.max(...known);
    if (data.x.length <= FEW || from === to) {
      const spare = (to - from) * 0.03 || 0.5;
      from -= spare;
      to += spare;
    }
    const rows = (wide) =>
      1 + Math.max(-1, ...lanes(data, (x) => ((x - from) / (to - from)) * wide, wide, measure).map((one) => one.lane));

    const across = {
      stroke: () => colour("soft"), font: font().replace("600", "400"), grid: { show: false }, ticks: { stroke: () => colour("rule"), size: 5 }, gap: 6, size: 34,
    };
    if (data.labels) {
      const longest = Math.max(...data.labels.slice(0, 400).map(measure)) + 14;
      across.splits = (u) => {
        const low = Math.max(0, Math.ceil(u.scales.x.min));
        const high = Math.min(data.labels.length - 1, Math.floor(u.scales.x.max));
        const fit = Math.max(1, Math.floor((u.bbox.width / devicePixelRatio || u.width) / longest));
        const step = Math.max(1, Math.ceil((high - low + 1) / fit));
        const found = [];
        for (let place = low; place <= high; place += step) found.push(place);
        return found;
      };
      across.values = (u, splits) => splits.map((place) => data.labels[place]);
    } else if (data.time) {
      across.space = 90;
      across.values = (u, splits, axis, space, step) => splits.map((x) => moment(x, step));
    } else {
      across.values = (u, splits) => alike(splits, "number");
    }
    const up = {
      stroke: () => colour("soft"), font: across.font, grid: { stroke: () => colour("rule"), width: 1 }, ticks: { show: false }, gap: 8,
      values: (u, splits) => alike(splits, data.unit),
      size: (u, values) => 22 + Math.max(24, ...(values ?? []).map(measure)),
    };

    function events(u) {
      const { ctx } = u;
      const ratio = devicePixelRatio;
      const { left, top, width, height } = u.bbox;
      ctx.save();
      ctx.lineWidth = ratio;
      ctx.font = font().replace("11.5px", `${11.5 * ratio}px`);
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      const placed = lanes(data, (x) => (u.valToPos(x, "x", true) - left) / ratio, width / ratio, measure);
      for (const { mark, at, lane, middle } of placed) {
        const x = left + at * ratio;
        if (x < left - 1 || x > left + width + 1) continue;
        const labelled = lane >= 0;
        ctx.strokeStyle = ctx.fillStyle = colour(mark.tone);
        ctx.globalAlpha = 0.55;
        ctx.beginPath();
        ctx.moveTo(x, labelled ? top - (lane * LANE + 3) * ratio : top);
        ctx.lineTo(x, top + height);
        ctx.stroke();
        ctx.globalAlpha = 1;
        if (labelled) ctx.fillText(mark.label, left + middle * ratio, top - (lane * LANE + 11) * ratio);
      }
      ctx.restore();
    }

    const tip = make("div", "tip");
    tip.hidden = true;
    tip.setAttribute("role", "status");
    const plot = new uPlot(
      {
        width: box.clientWidth, height: tall(box), series: all, bands,
        padding: [(u) => 10 + rows(Math.max(u.width - 70, 50)) * LANE, 14, 0, 0],
        scales: {
          x: { time: data.time, range: data.x.length <= FEW ? () => [from, to] : (u, low, high) => (low === high ? [low - 0.5, high + 0.5] : [low, high]) },
          y: { range: { min: { pad: 0.08 }, max: { pad: 0.08 } } },
        },
        axes: [across, up],
        legend: { show: false },
        cursor: { y: false, drag: { x: data.x.length > FEW, y: false }, points: { size: (u, i) => (i % 3 === 1 ? 9 : 0), width: (u, i) => (i % 3 === 1 ? 2 : 0), fill: (u, i) => colour(`c${Math.floor((i - 1) / 3) % 6}`), stroke: () => colour("panel") } },
        tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), "Etc/UTC"),
        hooks: { drawAxes: [events], setCursor: [(u) => tell(u, data, tip, box)] },
      },
      columns(data), box,
    );
    box.append(tip);
    box.classList.add("live");
    keys(plot, data, box, tip);
    return plot;
  }

  function tell(u, data, tip, box) {
    const place = u.cursor.idx;
    tip.hidden = place == null || u.cursor.left < 0;
    if (tip.hidden) return;
    const x = data.x[place];
    const lines = [make("b", "", where(data, x))];
    data.lines.forEach((line, index) => {
      if (!u.series[1 + index * 3].show) return;
      const row = make("div", `c${index % 6}`);
      const banded = line.low && line.low[place] != null && line.high[place] != null && line.y[place] != null;
      const [y, low, high] = banded ? alike([line.y[place], line.low[place], line.high[place]], data.unit) : [shown(line.y[place], data.unit)];
      row.append(make("i", line.dashed ? "dashed" : ""), make("span", "", line.name), make("strong", "", y));
      lines.push(row);
      if (banded) lines.push(make("small", "", `${low} to ${high}`));
    });
    const reach = (u.scales.x.max - u.scales.x.min) / (data.x.length <= FEW ? Math.max(data.x.length, 2) * 2 : 100);
    for (const mark of data.marks)
      if (Math.abs(mark.x - x) <= reach) lines.push(make("span", `badge tone-${mark.tone}`, mark.label));
    tip.replaceChildren(...lines);
    const over = u.over.offsetLeft;
    const at = over + u.valToPos(x, "x");
    const left = at + 14 + tip.offsetWidth > box.clientWidth ? at - 14 - tip.offsetWidth : at + 14;
    tip.style.transform = `translate(${Math.max(0, left)}px, ${u.over.offsetTop + 8}px)`;
  }

  // The arrow keys walk along the points, as the pointer does.
  function keys(u, data, box, tip) {
    box.tabIndex = 0;
    box.addEventListener("keydown", (event) => {
      const last = data.x.length - 1;
      const now = u.cursor.idx ?? -1;
      const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
      if (event.key === "Escape") u.setCursor({ left: -10, top: -10 });
      if (next == null) return;
      event.preventDefault();
      u.setCursor({ left: u.valToPos(data.x[Math.min(Math.max(next, 0), last)], "x"), top: 10 });
    });
    box.addEventListener("blur", () => { tip.hidden = true; });
  }

  const tall = (box) => (box.clientWidth < 560 ? 270 : 330);

  const plots = [];
  function start(figure) {
    const box = figure.querySelector(".plot");
    const data = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
    let plot = null;
    // a chart in a closed group has no width: it is drawn when it gets one
    new ResizeObserver(() => {
      if (!box.clientWidth) return;
      if (plot) plot.setSize({ width: box.clientWidth, height: tall(box) });
      else plots.push((plot = draw(box, data)));
    }).observe(box);
    for (const button of figure.querySelectorAll(".legend button")) {
      button.disabled = false;
      button.addEventListener("click", () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", String(on));
        const first = 1 + Number(button.dataset.line) * 3;
        for (const index of [first, first + 1, first + 2]) plot?.setSeries(index, { show: on });
      });
    }
  }

  for (const figure of document.querySelectorAll(".chart")) if (figure.querySelector(".plot")) start(figure);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach((plot) => plot.redraw(false)));
})();
