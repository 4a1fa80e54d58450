// What is drawn and from where: an orbit of one's own, or a camera of the asset with its exact lens.

import * as THREE from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { Frusta, poseOf } from "./frusta.js";
import { lamps, loadMesh } from "./mesh.js";
import { SplatCloud } from "./splats.js";

const FOV = 36; // degrees, of the shorter side
const FLIGHT_MS = 380;
const MOST_PIXELS = 2; // of the screen for each of the page's: more is only slower

export class Stage {
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.onChange = onChange;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.renderer.setClearColor(0, 0);
    this.scene = new THREE.Scene();
    this.camera = new THREE.PerspectiveCamera(FOV, 1, 0.01, 1000);
    this.scene.add(this.camera, lamps(this.camera));
    this.shown = { what: "splats", look: "textured", wires: false, cameras: false, divide: 0.5 };
    this.insets = { top: 0, bottom: 0 };
    this.picture = null; // of the camera looked through: {index, left, top, width, height}
    this.flight = null;
  }

  /** Put an asset on the stage, or what there is of one so far; the view stays where it is but for the first time. */
  async load(asset) {
    const isFirst = this.asset === undefined;
    if (asset.radius === null) {
      asset.ready = await loadMesh(asset.mesh);
      const ball = new THREE.Box3().setFromObject(asset.ready).getBoundingSphere(new THREE.Sphere());
      Object.assign(asset, { center: ball.center.toArray(), radius: ball.radius || 1 });
    }
    this.asset = asset;
    if (isFirst) this.startControls(asset);
    for (const old of [this.splats, this.mesh, this.frusta]) if (old) this.scene.remove(old);
    this.splats?.dispose();
    this.splats = asset.splats && new SplatCloud(asset.splats);
    this.frusta = asset.cameras && new Frusta(asset.cameras, 0.07 * this.farthestCamera());
    this.mesh = null;
    for (const part of [this.splats, this.frusta]) if (part) this.scene.add(part);
    if (isFirst) this.home(false);
    this.invalidate();
    if (asset.mesh) {
      this.mesh = asset.ready ?? (await loadMesh(asset.mesh));
      this.scene.add(this.mesh);
      this.invalidate();
    }
  }

  startControls(asset) {
    this.camera.up.set(...asset.up);
    this.camera.near = 0.01 * asset.radius;
    this.camera.far = 2000 * asset.radius;
    this.controls = new OrbitControls(this.camera, this.canvas);
    Object.assign(this.controls, { enableDamping: true, dampingFactor: 0.12, rotateSpeed: 0.9, zoomSpeed: 1.2 });
    this.controls.minDistance = 0.2 * asset.radius;
    this.controls.maxDistance = 60 * asset.radius;
    this.controls.addEventListener("change", () => this.invalidate());
    this.controls.addEventListener("start", () => this.leave());
  }

  show(changes) {
    Object.assign(this.shown, changes);
    this.invalidate();
  }

  resize(insets = this.insets) {
    this.insets = insets;
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, MOST_PIXELS));
    this.renderer.setSize(this.width, this.height, false);
    if (this.picture) this.look(this.picture.index, this.picture, false);
    else this.openLens();
    this.invalidate();
  }

  /** The lens of one's own: the middle of the space that the controls leave free is the middle of the picture. */
  openLens(focal = this.freeFocal(), x = this.width / 2, y = this.freeMiddle()) {
    this.lens = { focal, x, y };
    this.camera.aspect = this.width / this.height;
    this.camera.fov = THREE.MathUtils.radToDeg(2 * Math.atan(this.height / 2 / focal));
    this.camera.setViewOffset(this.width, this.height, this.width / 2 - x, this.height / 2 - y, this.width, this.height);
  }

  freeMiddle() {
    return (this.insets.top + this.height - this.insets.bottom) / 2;
  }

  freeFocal() {
    const free = Math.min(this.width, this.height - this.insets.top - this.insets.bottom);
    return Math.max(free, 120) / 2 / Math.tan(THREE.MathUtils.degToRad(FOV) / 2);
  }

  /** Go back to where the first camera stands, far enough away to see all; `wide` sees the cameras too. */
  home(flies = true, wide = false) {
    const { center, radius, start } = this.asset;
    const target = new THREE.Vector3(...center);
    const outward = new THREE.Vector3(...start);
    if (wide && this.controls) outward.copy(this.camera.position).sub(target).normalize();
    const most = wide ? this.farthestCamera(target) : radius;
    const position = target.clone().addScaledVector(outward, (1.06 * most) / Math.sin(THREE.MathUtils.degToRad(FOV) / 2));
    const quaternion = facing(position, target, this.camera.up);
    const leave = () => {
      this.picture = null;
      this.openLens();
      this.controls.target.copy(target);
    };
    this.controls.autoRotate = false;
    if (!flies) this.openLens();
    this.fly({ position, quaternion, lens: { focal: this.freeFocal(), x: this.width / 2, y: this.freeMiddle() } }, flies, leave);
  }

  farthestCamera(target = new THREE.Vector3(...this.asset.center)) {
    const places = this.asset.cameras.c2w.map((m) => new THREE.Vector3(m[3], m[7], m[11]).distanceTo(target));
    return 1.05 * Math.max(this.asset.radius, ...places);
  }

  /** Look through a camera of the asset; `place` is where its picture lies on the page, in pixels. */
  look(index, place, flies = true) {
    const { cameras } = this.asset;
    const [fx, , cx, cy] = cameras.K[index];
    const scale = place.width / cameras.width;
    const { position, quaternion } = poseOf(cameras, index);
    this.picture = { index, ...pick(place) };
    this.frusta.choose(index);
    this.controls.autoRotate = false;
    const lens = { focal: fx * scale, x: place.left + cx * scale, y: place.top + cy * scale };
    this.fly({ position, quaternion, lens }, flies, () => {});
  }

  /** Turn freely again from where the view is. */
  leave() {
    this.flight?.land();
    if (!this.picture) return;
    this.picture = null;
    this.frusta.choose(-1);
    const forward = this.camera.getWorldDirection(new THREE.Vector3());
    const away = new THREE.Vector3(...this.asset.center).sub(this.camera.position).dot(forward);
    this.controls.target.copy(this.camera.position).addScaledVector(forward, Math.max(away, 0.1 * this.asset.radius));
    this.onChange("left");
  }

  fly(to, flies, after) {
    const from = { position: this.camera.position.clone(), quaternion: this.camera.quaternion.clone(), lens: this.lens };
    const begun = performance.now();
    const step = (share) => {
      this.camera.position.lerpVectors(from.position, to.position, share);
      this.camera.quaternion.slerpQuaternions(from.quaternion, to.quaternion, share);
      const mix = (key) => from.lens[key] + share * (to.lens[key] - from.lens[key]);
      this.openLens(mix("focal"), mix("x"), mix("y"));
    };
    const land = () => {
      step(1);
      this.flight = null;
      after();
      this.invalidate();
    };
    if (!flies || matchMedia("(prefers-reduced-motion: reduce)").matches) return land();
    this.flight = { land, step: () => {
      const share = Math.min((performance.now() - begun) / FLIGHT_MS, 1);
      if (share === 1) land();
      else step(share * share * (3 - 2 * share));
    } };
    this.invalidate();
  }

  turn(across, up) {
    this.leave();
    const offset = this.camera.position.clone().sub(this.controls.target);
    const toY = new THREE.Quaternion().setFromUnitVectors(this.camera.up, new THREE.Vector3(0, 1, 0));
    const ball = new THREE.Spherical().setFromVector3(offset.applyQuaternion(toY));
    ball.theta += across;
    ball.phi += up;
    ball.makeSafe();
    this.camera.position.setFromSpherical(ball).applyQuaternion(toY.invert()).add(this.controls.target);
    this.invalidate();
  }

  zoom(factor) {
    this.leave();
    const { target, minDistance, maxDistance } = this.controls;
    const offset = this.camera.position.clone().sub(target).multiplyScalar(factor).clampLength(minDistance, maxDistance);
    this.camera.position.copy(target).add(offset);
    this.invalidate();
  }

  spin(on) {
    if (on) this.leave();
    Object.assign(this.controls, { autoRotate: on, autoRotateSpeed: -3 });
    this.invalidate();
  }

  /** Return the camera whose place is drawn near a point of the page, or -1. */
  cameraAt(x, y) {
    if (!this.shown.cameras || !this.frusta) return -1;
    let [nearest, least] = [-1, 26];
    for (let index = 0; index < this.asset.cameras.c2w.length; index++) {
      const middle = new THREE.Vector3(0, 0, -0.5 * this.frusta.length);
      const place = middle.applyMatrix4(poseOf(this.asset.cameras, index).matrix).project(this.camera);
      const [px, py] = [((place.x + 1) / 2) * this.width, ((1 - place.y) / 2) * this.height];
      const distance = Math.hypot(px - x, py - y);
      if (place.z < 1 && distance < least) [nearest, least] = [index, distance];
    }
    return nearest;
  }

  /** What the line between splats and mesh crosses, in pixels of the page. */
  area() {
    const { top, bottom } = this.insets;
    return this.picture ?? { left: 0, top: Math.max(top, 0), width: this.width, height: this.height - Math.max(top, 0) - bottom };
  }

  invalidate() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.draw();
    });
  }

  draw() {
    if (!this.controls || !this.width) return;
    if (this.flight) {
      this.flight.step();
      this.invalidate();
    } else if (!this.picture) {
      this.controls.update();
      if (this.controls.autoRotate) this.invalidate();
    }
    const { what, divide } = this.shown;
    const isSplit = what === "split" && this.splats && this.mesh;
    this.renderer.setScissorTest(isSplit);
    if (!isSplit) return this.drawPart(what === "split" ? (this.splats ? "splats" : "mesh") : what);
    const { left, width } = this.area();
    const at = Math.round(left + divide * width);
    this.renderer.setScissor(0, 0, at, this.height);
    this.drawPart("splats");
    this.renderer.setScissor(at, 0, this.width - at, this.height);
    this.drawPart("mesh");
  }

  drawPart(what) {
    const { look, wires, cameras } = this.shown;
    if (this.mesh) {
      this.mesh.visible = what === "mesh" || !this.splats;
      this.mesh.userData.show(look, wires);
    }
    if (this.splats) {
      this.splats.visible = what === "splats" || !this.asset.mesh;
      this.camera.updateMatrixWorld();
      if (this.splats.visible) this.splats.prepare(this.renderer, this.camera);
    }
    if (this.frusta) this.frusta.visible = cameras && !this.picture;
    this.renderer.render(this.scene, this.camera);
  }

  /** Wait until the graphics card, or what stands in for it, has drawn all that it was told. */
  finish() {
    const gl = this.renderer.getContext();
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  }
}

const pick = ({ left, top, width, height }) => ({ left, top, width, height });

function facing(position, target, up) {
  return new THREE.Quaternion().setFromRotationMatrix(new THREE.Matrix4().lookAt(position, target, up));
}
