"""Make docs/free-prompts.jpg: forty prompts in anybody's words, and the clip that `vid2three generate` makes of each.

python docs/free_prompts.py [--model orbit-s] [--seed 0] [-o docs/free-prompts.jpg]
python docs/free_prompts.py --later   # docs/free-prompts-later.jpg: twenty that had no say in any rule
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from generator.config import GenerateConfig
from vid2three.candidates import best_candidate
from vid2three.stages import clip_views

PROMPTS = (
    "a medieval crossbow", "a wooden barrel full of apples", "a wooden signpost",
    "a black cat next to an orange pumpkin", "a red fire hydrant", "a rusty metal shield", "a white sailing boat",
    "a stone well with a wooden roof", "a wooden pirate ship with white sails", "a witch's hat", "a police car",
    "a robot with glowing eyes", "a low poly fox", "a yellow school bus", "a red and white striped tent",
    "an old wooden door", "a stack of gold coins", "a snowy pine tree", "a bunch of bananas", "a pile of rocks",
    "a blue sci-fi spaceship with orange engines", "a tall castle tower with a blue flag", "a slice of pizza",
    "a cactus in a pot", "a small stone bridge", "a brown teddy bear", "a skull", "a wooden bench",
    "a green dinosaur", "a grey elephant", "a golden key", "a green tractor", "a pink donut with sprinkles",
    "a purple potion bottle", "a red apple on a wooden barrel", "a zombie", "a street lamp", "a campfire with logs",
    "three blue mushrooms", "a birthday cake with candles",
)  # fmt: skip
LATER = (  # written down before any of them was made
    "a red telephone booth", "a blue teapot", "an astronaut", "a tiger", "a wooden crate",
    "a stone tower with a green roof", "a purple wizard hat", "a black motorcycle", "a snowman with a red hat",
    "a vanilla ice cream cone", "a green frog", "a yellow submarine", "a silver sword with a golden hilt",
    "a brown horse", "a palm tree", "a pink pig", "two red apples on a table", "a penguin next to a candle",
    "a chair, a table and a lamp", "a blue bird on a wooden chest",
)  # fmt: skip
COLUMNS, SHOWN, SIDE, GAP, LINE = 4, 4, 96, 12, 18


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="orbit-s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--later", action="store_true")
    parser.add_argument("-o", "--output", type=Path)
    options = parser.parse_args()
    prompts = LATER if options.later else PROMPTS
    output = options.output or Path(__file__).with_name(f"free-prompts{'-later' if options.later else ''}.jpg")
    width, height = SHOWN * SIDE + GAP, SIDE + LINE
    sheet = Image.new("RGB", (COLUMNS * width, -(-len(prompts) // COLUMNS) * height), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, prompt in enumerate(prompts):
        clip, facts = best_candidate(prompt, GenerateConfig(model=options.model), clip_views, seed=options.seed)
        left, top = number % COLUMNS * width, number // COLUMNS * height
        pen.text((left + 4, top + 2), prompt, "black", font)
        for k, index in enumerate(np.linspace(0, len(clip.frames), SHOWN, endpoint=False).astype(int)):
            frame = Image.fromarray(clip.frames[index].numpy()).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(frame, (left + k * SIDE, top + LINE))
        print(f"{facts['match']:.2f} {prompt}", flush=True)
        sheet.save(output, quality=88)


if __name__ == "__main__":
    main()
