"use strict";
// Draws the charts of a page. Text and grid have the colours of the page; a click on a point leads to its page.

const colours = getComputedStyle(document.documentElement);
const ink = colours.getPropertyValue("--ink").trim();
const line = colours.getPropertyValue("--line").trim();

function dressed(layout) {
  const axis = { gridcolor: line, linecolor: ink, tickcolor: ink };
  return {
    ...layout,
    font: { color: ink, family: getComputedStyle(document.body).fontFamily, size: 13 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    xaxis: { ...layout.xaxis, ...axis },
    yaxis: { ...layout.yaxis, ...axis },
  };
}

for (const place of document.querySelectorAll(".chart")) {
  const figure = JSON.parse(place.dataset.figure);
  const options = { displayModeBar: false, responsive: true };
  Plotly.newPlot(place, figure.data, dressed(figure.layout), options).then(() => {
    place.on("plotly_click", (event) => {
      const target = event.points[0].customdata;
      if (typeof target === "string" && target.startsWith("/point/")) location.assign(target);
    });
  });
}
