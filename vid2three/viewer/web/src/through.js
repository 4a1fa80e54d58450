// Looking through the asset's cameras: the frame beside, or over, what is drawn from where it was taken.

const PLAY_MS = 140;
const GAP = 14;
const $ = (id) => document.getElementById(id);

export class Through {
  constructor(stage, onLayout) {
    this.stage = stage;
    this.onLayout = onLayout;
    this.index = -1;
    this.timer = 0;
    $("index").addEventListener("input", () => this.open(Number($("index").value)));
    $("play").addEventListener("click", () => this.play());
    $("manner").addEventListener("click", (event) => event.target.value && this.arrange(event.target.value));
    $("strength").querySelector("input").addEventListener("input", () => this.place());
    this.manner = "beside";
  }

  offer({ cameras }) {
    if (!cameras) return;
    $("index").max = String(cameras.c2w.length - 1);
  }

  toggle() {
    if (this.index >= 0) {
      this.close();
      this.stage.home();
    } else if (this.stage.asset.cameras) this.open(0);
  }

  open(index) {
    const wasOpen = this.index >= 0;
    this.index = index;
    $("frames").setAttribute("aria-pressed", "true");
    $("spin").setAttribute("aria-pressed", "false");
    $("through").hidden = $("frame").hidden = $("render").hidden = false;
    if (!wasOpen) this.onLayout();
    const { frames, numbers, c2w } = this.stage.asset.cameras;
    $("index").value = String(index);
    $("number").textContent = `${numbers[index]} of ${numbers[c2w.length - 1]}`;
    $("frame").querySelector("img").src = frames[index];
    this.place(!wasOpen);
  }

  close() {
    if (this.index < 0) return;
    this.index = -1;
    this.halt();
    $("frames").setAttribute("aria-pressed", "false");
    $("through").hidden = $("frame").hidden = $("render").hidden = true;
    this.stage.leave();
    this.onLayout();
  }

  /** Go to a neighbouring frame; says whether frames are shown at all. */
  step(by) {
    if (this.index < 0) return false;
    const num = this.stage.asset.cameras.c2w.length;
    this.open((this.index + by + num) % num);
    return true;
  }

  play() {
    if (this.timer) return this.halt();
    if (!this.stage.asset.cameras) return;
    if (this.index < 0) this.open(0);
    $("play").setAttribute("aria-pressed", "true");
    this.timer = setInterval(() => this.step(1), PLAY_MS);
  }

  halt() {
    clearInterval(this.timer);
    this.timer = 0;
    $("play").setAttribute("aria-pressed", "false");
  }

  arrange(manner) {
    this.manner = manner;
    for (const button of $("manner").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.value === manner));
    }
    $("strength").hidden = manner !== "over";
    this.onLayout();
  }

  /** Lay the frame and the picture that is drawn on the page, and look through the camera. */
  place(flies = false) {
    if (this.index < 0) return;
    const { stage } = this;
    const { width, height } = stage.asset.cameras;
    const isOver = this.manner === "over";
    const top = stage.insets.top + GAP;
    const free = { width: stage.width - 2 * GAP, height: stage.height - stage.insets.bottom - top - GAP };
    const isWide = free.width > free.height;
    const [columns, rows] = isOver ? [1, 1] : isWide ? [2, 1] : [1, 2];
    const scale = Math.min(
      (free.width - GAP * (columns - 1)) / columns / width,
      (free.height - GAP * (rows - 1)) / rows / height,
    );
    const size = { width: scale * width, height: scale * height };
    const left = GAP + (free.width - columns * size.width - GAP * (columns - 1)) / 2;
    const start = top + (free.height - rows * size.height - GAP * (rows - 1)) / 2;
    const first = { left, top: start, ...size };
    const second = isOver ? first : isWide ? { ...first, left: left + size.width + GAP } : { ...first, top: start + size.height + GAP };
    lay($("frame"), first);
    lay($("render"), second);
    $("frame").classList.toggle("over", isOver);
    $("frame").style.opacity = isOver ? $("strength").querySelector("input").value / 100 : 1;
    stage.look(this.index, second, flies);
  }
}

function lay(element, place) {
  for (const side of ["left", "top", "width", "height"]) element.style[side] = `${place[side]}px`;
}
