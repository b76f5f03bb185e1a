"use strict";
// What all pages share. Texts of others reach a page only as textContent or as the value of an attribute that is not executed.

const byId = (id) => document.getElementById(id);
const format = new Intl.NumberFormat("en");
const SVG = "http://www.w3.org/2000/svg";

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

