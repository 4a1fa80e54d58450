// The page: what its buttons, keys and fingers do. What is shown lies in the element #asset, as JSON.

import { Stage } from "./stage.js";
import { follow } from "./live.js";
import { Through } from "./through.js";

const PAPERS = ["light", "dark", "white", "black", "checker"];
const TURN = Math.PI / 24; // of an arrow key
const $ = (id) => document.getElementById(id);
const text = (element, value) => ((element.textContent = value), element);

const asset = JSON.parse($("asset").textContent);
let stage;
let through;

function describe({ title, subtitle, isGenerated, verdict, facts, links }) {
  document.title = title;
  text($("caption").querySelector("h1"), title);
  text($("subtitle"), subtitle);
  $("mark").hidden = !isGenerated;
  $("facts").hidden = !verdict && !facts.length && !links.length;
  const summary = $("facts").querySelector("summary");
  text(summary, verdict ? verdict.label : "About");
  summary.className = verdict?.decision ?? "";
  const inside = $("facts").querySelector("div");
  inside.replaceChildren();
  for (const line of verdict ? [verdict.meaning, ...verdict.reasons] : []) {
    inside.append(text(document.createElement("p"), line));
  }
  const list = document.createElement("dl");
  for (const [name, value] of facts) {
    list.append(text(document.createElement("dt"), name), text(document.createElement("dd"), value));
  }
  inside.append(list);
  for (const [name, address] of links) {
    const link = text(document.createElement("a"), name);
    link.href = address;
    inside.append(link);
  }
}

/** Hide what this asset has nothing for. */
function offer(asset) {
  const hasBoth = Boolean(asset.splats && asset.mesh);
  $("what").hidden = !hasBoth;
  $("look").hidden = $("wires").hidden = !asset.mesh;
  $("frames").hidden = $("cameras").hidden = !asset.cameras;
  through?.offer(asset);
  showWhat(stage.shown.what === "splats" && !asset.splats ? "mesh" : stage.shown.what);
}

function choose(group, value) {
  for (const button of $(group).querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.value === value));
  }
}

function showWhat(what) {
  choose("what", what);
  $("divider").hidden = what !== "split";
  const meshIsSeen = what !== "splats" && stage.asset?.mesh;
  for (const id of ["look", "wires"]) $(id).classList.toggle("idle", !meshIsSeen);
  stage.show({ what });
  if (stage.width) resize();
}

function showLook(look) {
  choose("look", look);
  if (stage.shown.what === "splats" && stage.asset.mesh) showWhat("mesh");
  stage.show({ look });
}

function toggle(id, on = $(id).getAttribute("aria-pressed") !== "true") {
  $(id).setAttribute("aria-pressed", String(on));
  return on;
}

function showWires() {
  const wires = toggle("wires");
  if (wires && stage.shown.what === "splats") showWhat("mesh");
  stage.show({ wires });
}

function showCameras() {
  const cameras = toggle("cameras");
  if (cameras) through.close();
  stage.show({ cameras });
  stage.home(true, cameras);
}

function nextPaper() {
  const root = document.documentElement.dataset;
  root.paper = PAPERS[(PAPERS.indexOf(root.paper) + 1) % PAPERS.length];
}

function spin(on) {
  if (toggle("spin", on)) through.close();
  stage.spin($("spin").getAttribute("aria-pressed") === "true");
}

function home() {
  spin(false);
  through.close();
  stage.home(true, stage.shown.cameras);
}

function divide(share = stage.shown.divide) {
  const divide = Math.min(Math.max(share, 0.04), 0.96);
  const { left, top, width, height } = stage.area();
  Object.assign($("divider").style, { left: `${left + divide * width}px`, top: `${top}px`, height: `${height}px` });
  stage.show({ divide });
}

function listenToDivider() {
  const handle = $("divider").querySelector("button");
  handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
  handle.addEventListener("pointermove", (event) => {
    const { left, width } = stage.area();
    if (handle.hasPointerCapture(event.pointerId)) divide((event.clientX - left) / width);
  });
  handle.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (!step) return;
    divide(stage.shown.divide + step);
    event.stopPropagation();
  });
}

/** A click, not a drag, on a camera that is shown looks through it. */
function listenToClicks(canvas) {
  let down = null;
  canvas.addEventListener("pointerdown", (event) => (down = event));
  canvas.addEventListener("pointerup", (event) => {
    if (!down || Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 5) return;
    const index = stage.cameraAt(event.clientX, event.clientY);
    if (index >= 0) through.open(index);
  });
}

const KEYS = {
  1: () => stage.asset.splats && showWhat("splats"),
  2: () => stage.asset.mesh && showWhat("mesh"),
  3: () => stage.asset.splats && stage.asset.mesh && showWhat("split"),
  4: () => showLook("textured"),
  5: () => showLook("clay"),
  6: () => showLook("normals"),
  w: showWires,
  f: () => through.toggle(),
  p: () => through.play(),
  c: () => stage.asset.cameras && showCameras(),
  b: nextPaper,
  " ": () => spin(),
  r: home,
  "?": () => $("keys").showModal(),
  "+": () => stage.zoom(0.9),
  "=": () => stage.zoom(0.9),
  "-": () => stage.zoom(1.1),
  Escape: () => through.close(),
  ArrowLeft: () => through.step(-1) || stage.turn(-TURN, 0),
  ArrowRight: () => through.step(1) || stage.turn(TURN, 0),
  ArrowUp: () => stage.turn(0, -TURN),
  ArrowDown: () => stage.turn(0, TURN),
};

function listenToKeys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("keys").open) return;
    if (event.target.matches("input") || (event.key === " " && event.target.matches("button, summary"))) return;
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function listenToButtons() {
  $("what").addEventListener("click", (event) => event.target.value && showWhat(event.target.value));
  $("look").addEventListener("click", (event) => event.target.value && showLook(event.target.value));
  const actions = { wires: showWires, cameras: showCameras, paper: nextPaper, home, frames: () => through.toggle() };
  for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
  $("spin").addEventListener("click", () => spin());
  $("help").addEventListener("click", () => $("keys").showModal());
}

function resize() {
  const bar = innerHeight - $("bar").getBoundingClientRect().top;
  const isBelow = innerWidth < 700 || through.index >= 0; // the caption stands beside the asset where there is room
  stage.resize({ top: $("caption").querySelector("p").getBoundingClientRect().bottom + (isBelow ? 44 : -30), bottom: bar });
  through.place();
  divide();
}

function fail(sentence) {
  document.documentElement.dataset.failed = sentence;
  text($("notice"), sentence).hidden = false;
}

async function start() {
  describe(asset);
  try {
    stage = new Stage($("canvas"), (what) => what === "left" && through.close());
  } catch {
    return fail("This browser shows no WebGL 2, which the view in 3D needs. Another browser, or turning on its graphics acceleration, helps.");
  }
  through = new Through(stage, resize);
  listenToButtons();
  listenToDivider();
  listenToClicks($("canvas"));
  listenToKeys();
  $("canvas").addEventListener("pointerdown", () => toggle("spin", false) || stage.spin(false));
  stage.shown.what = asset.splats ? "splats" : "mesh";
  stage.asset = undefined;
  offer(asset);
  resize();
  addEventListener("resize", resize);
  await present(asset);
  document.documentElement.dataset.readyMs = String(Math.round(performance.now()));
  if (asset.live) document.documentElement.dataset.live = "";
  if (asset.live) follow(present, fail, (line) => (text($("notice"), line).hidden = !line));
}

/** Show an asset, or a newer state of it. */
async function present(asset) {
  describe(asset);
  if (asset.splats || asset.mesh) {
    const loading = stage.load(asset);
    offer(asset);
    stage.draw();
    stage.finish();
    document.documentElement.dataset.firstMs ??= String(Math.round(performance.now()));
    await loading;
    stage.draw();
    stage.finish();
  }
}

start().catch((error) => {
  fail(`The asset cannot be shown: ${error.message}`);
  throw error;
});
