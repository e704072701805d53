/* Draws the charts of a page: every <figure data-chart="address of a trajectory">.
 *
 * Without this script a figure holds a picture of the same chart and the table behind it. Nothing is
 * evaluated as code and no style is written into the page, so that `default-src 'self'` is enough.
 * The chart libraries come from the address in data-bundle of this script's own element, and only
 * where there is a chart.
 */
(() => {
  "use strict";
  const bundle = document.currentScript.dataset.bundle;
  const media = "application/vnd.vegalite.v6+json";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const narrowest = 280;
  const widest = 1600;
  let library;

  const load = () => {
    library ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = bundle;
      script.addEventListener("load", () => resolve(window.vegaEmbed));
      script.addEventListener("error", () => reject(new Error("no chart library")));
      document.head.append(script);
    });
    return library;
  };

  /* Data come with the specification: nothing else is ever asked for. */
  const refuse = () => Promise.reject(new Error("a chart asks for nothing"));
  const loader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };

  const draw = async (figure) => {
    const address = new URL(figure.dataset.chart, document.baseURI);
    if (address.origin !== window.location.origin) return;
    const width = Math.floor(figure.getBoundingClientRect().width);
    address.searchParams.set("width", Math.min(widest, Math.max(narrowest, width)));
    address.searchParams.set("theme", figure.dataset.theme || (dark.matches ? "dark" : "light"));
    const asked = Symbol("asked");
    figure.asked = asked;
    const [answer, embed] = await Promise.all([
      fetch(address, { headers: { Accept: media }, credentials: "same-origin" }),
      load(),
    ]);
    if (!answer.ok) throw new Error("no chart");
    const place = document.createElement("div");
    place.className = "chart";
    const drawn = await embed(place, await answer.json(), {
      ast: true,
      actions: false,
      defaultStyle: false,
      loader,
      mode: "vega-lite",
      renderer: "canvas",
      tooltip: { disableDefaultStyle: true },
    });
    if (figure.asked !== asked) {
      drawn.finalize();
      return;
    }
    figure.drawn?.finalize();
    figure.drawn = drawn;
    figure.querySelector(":scope > .chart")?.remove();
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", drawn.spec.description ?? "");
    figure.prepend(place);
    figure.classList.add("is-drawn");
  };

  const tried = (figure) => draw(figure).catch(() => figure.classList.remove("is-drawn"));
  const figures = [...document.querySelectorAll("figure[data-chart]")];
  figures.forEach((figure) => {
    tried(figure);
    let width = figure.clientWidth;
    let waiting;
    new ResizeObserver(() => {
      if (Math.abs(figure.clientWidth - width) < 24) return;
      width = figure.clientWidth;
      clearTimeout(waiting);
      waiting = setTimeout(() => tried(figure), 150);
    }).observe(figure);
  });
  dark.addEventListener("change", () => figures.forEach(tried));
  /* For whoever changes the record while it is looked at. */
  document.addEventListener("afterglow:changed", () => figures.forEach(tried));
})();
