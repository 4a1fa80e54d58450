"""Settings of the generator. Torch-free: the command line reads them for its help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class VaeConfig:
    """Shape of the video autoencoder."""

    channels: int = 5
    """Channels of a frame: red, green, blue, alpha, depth."""
    widths: tuple[int, int, int] = (40, 80, 128)
    """Channels at 1/2, 1/4 and 1/8 of the resolution."""
    latent_channels: int = 32
    """Channels of a latent cell (2 frames of 8x8 pixels)."""


@dataclass(frozen=True)
class DitConfig:
    """Shape of the diffusion transformer."""

    latent_channels: int = 32
    """Channels of a latent cell."""
    patch: int = 2
    """Latent cells a token covers, each way."""
    width: int = 256
    """Width of a token."""
    depth: int = 8
    """Number of blocks."""
    heads: int = 4
    """Attention heads; width / heads must be a multiple of 16."""
    mlp_hidden: int = 576
    """Hidden width of the SwiGLU."""
    text_every: int = 2
    """Every how many blocks the text is asked."""
    text_width: int = 384
    """Width of the text encoder's token states."""
    rope_height: float = 8.0
    """Units of position that the picture's height spans, at any resolution."""
    has_reference: bool = False
    """Whether tokens also carry a reference: a picture to go on from, or a clip to edit."""


@dataclass(frozen=True)
class GenerateConfig:
    """Prompt to orbit clip."""

    model: str = "orbit-s"
    """Embedded model, or the path of a .safetensors file that `vid2three train` wrote."""
    steps: int = 24
    """Sampler steps; more is slower and a little finer."""
    guidance: float = 3.0
    """How strongly the prompt is followed; 1 turns guidance off."""
    guidance_from: float = 0.6
    """Guidance is on for times between this and guidance_to (0 = data, 1 = noise); it decides what the thing is, early,
    and costs as much again as a step."""
    guidance_to: float = 0.95
    """See guidance_from."""
    guidance_rescale: float = 0.0
    """How far the contrast that guidance adds is taken back; 0 not at all, 1 wholly."""
    emphasis: float = 3.0
    """How strongly the pattern, and the colours and the material, of a prompt in the model's own words are insisted on,
    beside guidance; 0 leaves them to that."""
    shift: float = 1.5
    """Spends more of the steps near noise where it is above 1."""
    fine_from: float = 0.85
    """A clip is begun at half its height and width where the model has learnt that; enlarged and noised up to this
    time it goes on at twice the size. 1 samples the full size alone."""
    laid_from: float = 0.5
    """A scene of several things, such as a cat on a table or three mugs, is laid together from a clip of each, noised
    up to this time and sampled on from there. 1 samples it at once."""
    drafts: int = 16
    """Small clips that are begun where one is begun small; the one goes on that shows most of what was asked."""
    finished: int = 3
    """Of the drafts so many are finished; the others, which promise less, are given up on the way."""
    image: str = ""
    """Picture of the thing from its front, which the clip begins with; say in the prompt what it is."""
    negative_prompt: str = ""
    """What to steer away from; empty steers away from nothing in particular."""
    captioner: str = ""
    """Language model that first says the prompt in words the model knows: a folder, or a name on the Hugging Face hub;
    the rules of vid2three alone unless given."""
    captioner_temperature: float = 0.0
    """0 takes the language model's likeliest words; above, they are drawn by the seed."""
    num_frames: int = 24
    """Frames of the orbit; even."""
    height: int = 128
    """Pixels; a multiple of 16. orbit-s has learnt 128 x 128."""
    width: int = 128
    """Pixels; a multiple of 16."""
    elevation_deg: float = 20.0
    """Height of the camera above the subject's equator, in degrees."""
    start_deg: float = 0.0
    """Where the orbit begins, in degrees counter-clockwise from the subject's front."""
    span_deg: float = 360.0
    """How far the orbit goes, in degrees; a part of a turn shows the rest of the subject from no side."""
    fov_deg: float = 40.0
    """Field of view of the camera, in degrees."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Numbers that the transformer computes in; auto is bfloat16 where the processor multiplies it itself (AMX,
    AVX512-BF16), up to twice as fast there, float32 elsewhere."""
    fps: int = 8
    """Frames a second of orbit.mp4."""
    candidates: int = 1
    """Clips that are made, each from a seed of its own; kept is the one that best shows what was asked, in frames that
    agree."""
    retry_below: float = 0.45
    """Where one clip is made and its match with the prompt is below this, one more is made; 0 never does."""
    refine: int = 1
    """Times that the clip is fitted and what the splats show is drawn again by the model, so that all frames show one
    solid; each costs a short fit and a quarter of a sampling."""
    refine_strength: float = 0.2
    """How much of a refined clip is drawn anew: the time, between 0 and 1, up to which it is noised."""
    mends: int = 0
    """Times that frames which do not fit in with the others are made anew, the others held; each costs a sampling and a
    few seconds to judge it."""


FamilyName = Literal["auto", "wan", "cogvideox", "ltx", "hunyuan", "mochi", "cosmos", "svd"]
Offload = Literal["auto", "none", "model", "sequential"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class VideoModelConfig:
    """Prompt to video, by a model of your own in the format of diffusers. None: as its family has learnt it."""

    family: FamilyName = "auto"
    """Which model it is; auto asks its folder."""
    model: str = ""
    """Its folder, which holds a model_index.json, or its name on the Hugging Face hub."""
    variant: str = ""
    """Take the weights of that variant, such as fp16, where the folder holds several."""
    lora: str = ""
    """A LoRA for it: a .safetensors file."""
    lora_scale: float = 1.0
    """How strongly the LoRA acts."""
    image: str = ""
    """Picture of the thing, for models that go on from one; its subject is cut out and put on white."""
    cut_image: bool = True
    """Cut the picture's subject out; without it the picture is taken as it is, cropped to the frame."""
    recipe: bool = True
    """Add the family's words for an orbit around a still thing; without it the model is told your prompt alone."""
    negative_prompt: str | None = None
    """What to steer away from; the family's own list unless given."""
    captioner: str = ""
    """Language model that first describes the prompt more fully: a folder, or a name on the Hugging Face hub."""
    captioner_temperature: float = 0.0
    """0 takes the language model's likeliest words; above, they are drawn by the seed."""
    steps: int | None = None
    """Sampler steps."""
    guidance: float | None = None
    """How strongly the prompt is followed; distilled models want 1."""
    num_frames: int | None = None
    """Frames of the video."""
    height: int | None = None
    """Pixels."""
    width: int | None = None
    """Pixels."""
    fps: int | None = None
    """Frames a second."""
    device: str = "auto"
    """cpu, cuda, mps, or auto."""
    dtype: Dtype = "auto"
    """Numbers to compute in; auto is bfloat16 on CUDA, float32 elsewhere."""
    offload: Offload = "auto"
    """Keep in the memory of a GPU only the network that works (model) or only its layer (sequential, slow); auto is
    model where all of them do not fit."""


@dataclass(frozen=True)
class EditConfig:
    """How an edit follows its instruction."""

    steps: int = 16
    """Steps of an edit; three evaluations of the transformer each."""
    guidance: float = 3.0
    """How strongly the edited asset's caption is followed; twice that in the second try, where the first shows too
    little of it."""
    shift: float = 3.0
    """Spends more of the steps near noise, where colours and shapes are decided."""


@dataclass(frozen=True)
class PhaseConfig:
    """One phase of training."""

    minutes: float = 10.0
    """Wall-clock minutes of this phase in all, over every resumption."""
    batch: int = 32
    """Clips a step, of each process where several train."""
    lr: float = 1e-3
    """Peak learning rate."""
    warmup: int = 100
    """Steps of linear warm-up after each start."""
    decay_share: float = 0.3
    """Last share of the phase, in which the learning rate falls to zero."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """muon: orthogonalised momentum for the matrices inside the transformer's blocks, AdamW for all else."""


@dataclass(frozen=True)
class TrainConfig:
    """Data, autoencoder, transformer: one model from nothing."""

    name: str = "orbit-xs"
    """Name of the model; the weights are written as NAME.safetensors."""
    folder: str = "checkpoints/orbit-xs"
    """Where clips, checkpoints, sheets and logs go."""
    seed: int = 0
    """Seed of the scenes and of the training."""
    num_frames: int = 16
    """Frames of a clip."""
    size: int = 64
    """Height and width of a clip in pixels."""
    num_clips: int = 16384
    """Clips to train on."""
    workers: int = 2
    """Processes that draw clips and, without a GPU, render them; with a GPU, of each process that trains."""
    engine: Literal["pool", "ray"] = "pool"
    """Where they run: on this machine, or as Ray's workers, whose clips come back to this folder."""
    ray_address: str = ""
    """Of a running Ray cluster, such as auto or HOST:6379, all of whose processors are used; empty starts Ray here."""
    corpus: str = ""
    """Packed models of artists (.npz; `python -m generator.corpus` packs them) to train on besides the grammar."""
    corpus_share: float = 0.5
    """Share of clips that show them, where there is a corpus."""
    edit_pairs_share: float = 0.0
    """Share of the grammar's clips that come in pairs, the second an edit of the first."""
    focus: tuple[str, ...] = ()
    """Categories to draw more often, such as those that a model has not seen yet."""
    focus_share: float = 0.0
    """Share of the grammar's clips that are drawn from these alone."""
    vae: VaeConfig = field(default_factory=VaeConfig)
    """The autoencoder."""
    dit: DitConfig = field(default_factory=DitConfig)
    """The transformer."""
    vae_phase: PhaseConfig = field(default_factory=lambda: PhaseConfig(minutes=25, batch=8, lr=2e-3))
    """Training of the autoencoder."""
    half_phase: PhaseConfig = field(default_factory=lambda: PhaseConfig(minutes=0, batch=64, lr=2e-3, decay_share=0))
    """Training of the transformer at half the height and width, before it sees the full size."""
    dit_phase: PhaseConfig = field(default_factory=lambda: PhaseConfig(minutes=120, batch=64, lr=2e-3))
    """Training of the transformer."""
    half_share: float = 0.0
    """Share of dit_phase's steps, of half_phase's batch, that see clips at half the height and width."""
    formats: tuple[str, ...] = ()
    """Other shapes of clips to learn, cut from those that are rendered: FRAMESxHEIGHTxWIDTH, such as 12x64x96, of a
    whole turn; with "part " before it frames that follow each other."""
    format_share: float = 0.0
    """Share of dit_phase's steps that see these, one format after the other, with as many tokens a step."""
    time_shift: float = 1.0
    """Shift of the training times towards noise; of clips of n times the tokens, the root of n times as much."""
    fine_share: float = 0.0
    """Share of the clips of the full size whose times lie below fine_until, where a sampled clip is begun at half the
    size (GenerateConfig.fine_from) and so never sees others."""
    fine_until: float = 0.9
    """See fine_share; a little above fine_from."""
    caption_drop: float = 0.1
    """Share of captions left empty, for guidance."""
    picture_share: float = 0.0
    """Share of clips of which the model is given the first frame (has_reference)."""
    edit_share: float = 0.0
    """Share of clips that the model makes from another, by an instruction (has_reference)."""
    teacher: str = ""
    """Weights (a model's name or a .safetensors file) that know all but the kinds of focus, artists' models included:
    of these their velocity is learnt instead of the clips' own, so that new kinds do not make the model forget them
    (arXiv:1606.09282). Needs their autoencoder: resume_from, and 0 minutes for it."""
    teacher_share: float = 0.5
    """Share of a batch that follows the teacher, where there is one; the rest shows the kinds of focus."""
    ema: float = 0.999
    """Decay of the weights' moving average, in steps."""
    judge_clips: int = 12000
    """Clips from which the judge learns."""
    judge_epochs: int = 8
    """Times the judge sees them."""
    judged_clips: int = 256
    """Clips by which the model is scored, for seen and for held-out pairs each."""
    resume_from: str = ""
    """Start from these weights (a model's name or a .safetensors file) where the folder holds no checkpoint; a phase
    of 0 minutes keeps them."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    bf16: bool = True
    """Compute in bf16 where that is safe; twice as fast on CPUs with AVX512-BF16 or AMX, slower on others."""
    compile: bool = False
    """Compile the transformer first (needs a C++ compiler on a CPU); a fifth faster after a minute and a half."""
    total_minutes: float = 0.0
    """Where above 0, all ends by then: the last phase gets what the others leave."""
    checkpoint_minutes: float = 10.0
    """Minutes between checkpoints with contact sheet."""

    @property
    def sees_halves(self) -> bool:
        """Whether clips of half the height and width are trained on, too."""
        return self.half_phase.minutes > 0 or self.half_share > 0
