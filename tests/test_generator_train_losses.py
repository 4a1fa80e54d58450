"""Losses and batches of training, by hand."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from generator.condition import orbit_condition
from generator.data import NUM_CAPTIONS, SHARD_SIZE, draw_shard, read_samples
from generator.dit import OrbitDiT
from generator.flow import interpolate, sample_times
from generator.formats import Format
from generator.precompile import noise_batch
from generator.text import load_text_encoder
from generator.train_dit import (
    LatentClips,
    Mixture,
    describe,
    dit_loss,
    draw_batches,
    ema_weight,
    encode_clips,
    encode_picture,
    update_ema,
)
from generator.train_vae import channel_weights, reconstruction_loss, to_model, vae_loss, vae_scores
from generator.vae import VideoAutoencoder
from generator_parts import DIT, FRAMES, RECIPE, REFERRING, SIZE, VAE, awake, tiny, tiny_dit, tiny_vae, training_shard

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def shard(tmp_path_factory) -> Path:
    return training_shard(tmp_path_factory.mktemp("training") / "clips")


@pytest.fixture(scope="module")
def clips(shard) -> torch.Tensor:
    return to_model(torch.from_numpy(np.load(shard)[:16]), CPU)


# The autoencoder's losses


def test_clips_come_in_as_channels(clips, shard):
    assert clips.shape == (16, FRAMES, 5, SIZE, SIZE)
    assert torch.equal((clips[3, 1, 4] * 255).round().byte(), torch.from_numpy(np.load(shard)[3, 1, ..., 4]))


def test_depth_counts_on_the_subject_alone(clips):
    weights, alpha = channel_weights(clips), clips[:, :, 3]
    assert not weights[:, :, 4][alpha == 0].any()
    assert (weights[:, :, 0][alpha == 1] == 4 * weights[:, :, 0][alpha == 0].mean()).all()
    wrong = clips.clone()
    wrong[:, :, 4][alpha == 0] += 0.5
    assert reconstruction_loss(wrong, clips) < 0.03  # only through gradients across the silhouette
    wrong[:, :, 4][alpha > 0] += 0.5
    assert reconstruction_loss(wrong, clips) > 0.1


def test_reconstruction_loss_is_zero_for_the_same_and_by_hand_for_a_constant(clips):
    assert reconstruction_loss(clips, clips) == 0
    mean_weight = channel_weights(clips).mean().item()
    expected = mean_weight * (0.1 + 0 + 8 * 0.01 + 0.1)  # L1, no gradient, MSE, half size
    assert reconstruction_loss(clips + 0.1, clips).item() == pytest.approx(expected, rel=1e-4)


def test_autoencoder_loss_falls(clips):
    torch.manual_seed(0)
    vae, generator = VideoAutoencoder(VAE), torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(vae.parameters(), 5e-3)
    losses = []
    for step in range(40):
        loss = vae_loss(vae, clips[step % 4 :: 4], generator)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-4:]) < 0.5 * np.mean(losses[:4])


@torch.no_grad()
def test_scores_are_those_of_the_round_trip(clips):
    vae = tiny_vae()
    y = vae.decode(vae.encode(clips)).clamp(0, 1)
    scores = vae_scores(vae, clips)
    assert scores["rgb_psnr"] == pytest.approx(-10 * np.log10((y - clips)[:, :, :3].square().mean().item()), abs=1e-3)
    subject = clips[:, :, 3] > 0.375
    assert scores["depth_psnr"] == pytest.approx(
        -10 * np.log10((y - clips)[:, :, 4][subject].square().mean().item()), abs=1e-3
    )
    covered = y[:, :, 3] > 0.375
    assert scores["alpha_iou"] == pytest.approx((subject & covered).sum().item() / (subject | covered).sum().item())


# The transformer's losses and batches


@pytest.fixture(scope="module")
def samples(shard):
    return read_samples(shard)


@pytest.fixture(scope="module")
def latents(shard, samples) -> LatentClips:
    z, still = encode_clips(tiny_vae(), to_model(torch.from_numpy(np.load(shard)), CPU))
    known = torch.arange(len(z)) % 3 > 0
    return LatentClips(z, still, *describe(samples, load_text_encoder()), known)


def draw(latents: LatentClips, size: int = 6, seed: int = 0, **shares):
    generator = torch.Generator().manual_seed(seed)
    return draw_batches(latents, load_text_encoder(), 2, size, Mixture(**shares), DIT.patch, CPU, generator)[1]


def row(latents: LatentClips, z: torch.Tensor) -> int:
    """The clip that a latent of a batch is of."""
    return int((latents.z.float() == z).flatten(1).all(1).nonzero()[0])


def test_clips_are_encoded_whole_and_by_their_first_frame(latents, clips):
    vae = tiny_vae()
    assert latents.z.shape == (SHARD_SIZE, FRAMES // 2, VAE.latent_channels, 2, 2)
    still = clips.clone()
    still[:, 1:] = still[:, :1]
    still[:, :, 4] = 0.5  # a picture says nothing of depth
    with torch.no_grad():
        torch.testing.assert_close(latents.z[:16].float(), vae.encode(clips), rtol=2e-3, atol=2e-3)
        picture = encode_picture(vae, clips[:, 0, :4])
        torch.testing.assert_close(picture, vae.encode(still[:, :2])[:, 0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(latents.still[:16].float(), picture, rtol=2e-3, atol=2e-3)


def test_samples_are_described_by_numbers(latents, samples):
    encoder = load_text_encoder()
    assert latents.tokens.shape[:2] == (SHARD_SIZE, NUM_CAPTIONS)
    assert torch.equal(latents.tokens[7, 2].long(), encoder.tokenize([samples[7].captions[2]])[0])
    edits = [i for i, sample in enumerate(samples) if sample.edit]
    assert latents.edits.tolist() == edits
    assert len(edits) > 30
    assert torch.equal(latents.edit[edits[0]].long(), encoder.tokenize([samples[edits[0]].edit])[0])
    orbit = samples[9].orbit
    assert latents.camera[9].tolist() == pytest.approx([*asdict(orbit).values()])


def test_shards_join(latents):
    joined = LatentClips.concatenate([latents, latents])
    assert len(joined.z) == 2 * SHARD_SIZE
    assert torch.equal(joined.tokens[SHARD_SIZE:], latents.tokens)
    assert len(joined.edits) == 2 * len(latents.edits)


def test_a_batch_is_clips_with_their_own_rays_and_words(latents, samples):
    batch, encoder = draw(latents, caption_drop=0.0), load_text_encoder()
    assert len({row(latents, z) for z in batch.z}) > 3
    for z, rays, angles, text, mask in zip(batch.z, batch.rays, batch.angles, batch.text, batch.text_mask):
        index = row(latents, z)
        expected = orbit_condition(latents.camera[index : index + 1], FRAMES, SIZE, SIZE, DIT.patch)
        assert torch.allclose(rays, expected[0][0])
        assert torch.allclose(angles, expected[1][0])
        states = encoder(list(samples[index].captions))[0]
        errors = [(text - state[: len(text)])[mask].abs().max() for state in states]
        assert min(errors) < 1e-4
    assert batch.reference is None


def test_dropped_captions_are_empty(latents):
    assert draw(latents, 5, caption_drop=1.0).text_mask.sum(1).tolist() == [2] * 5  # start and end


def test_pictures_are_given_as_the_first_frame(latents):
    batch = draw(latents, 40, picture_share=0.5)
    given = batch.given
    assert 10 <= given[:, 0].sum() <= 30
    assert not given[:, 1:].any()
    i = int(given[:, 0].nonzero()[0])
    assert torch.equal(batch.reference[i, 0], latents.still[row(latents, batch.z[i])].float())


def test_edits_are_given_what_they_are_made_from(latents):
    batch = draw(latents, 8, caption_drop=0.0, edit_share=0.5)
    assert batch.given.all(1).tolist() == [False] * 4 + [True] * 4
    for z, reference, text, mask in zip(batch.z[4:], batch.reference[4:], batch.text[4:], batch.text_mask[4:]):
        index = row(latents, z)
        assert index in latents.edits
        assert torch.equal(reference, latents.z[index - 1].float())
        told = load_text_encoder().encode(latents.edit[index : index + 1].long())[0][0]
        assert (text - told)[mask].abs().max() < 1e-4


def test_an_edit_keeps_the_shape():
    drawn = draw_shard(replace(RECIPE, edit_pairs_share=1.0), 0)
    for (before, scene), (after, edited) in zip(drawn[::2], drawn[1::2]):
        assert after.edit
        assert not before.edit
        assert before.orbit == after.orbit
        assert np.array_equal(scene[:, :20], edited[:, :20])  # all but the looks
        assert before.attributes != after.attributes


def test_the_loss_of_a_silent_model_is_the_size_of_the_velocity(latents):
    batch = draw(latents)
    generator = torch.Generator().manual_seed(0)
    loss = dit_loss(OrbitDiT(DIT), batch, generator, 1.0)
    generator.manual_seed(0)
    torch.randn(6, generator=generator)  # the times
    eps = torch.randn(batch.z.shape, generator=generator)
    assert loss.item() == pytest.approx((eps - batch.z).square().mean().item(), rel=1e-5)


def test_the_first_share_of_a_batch_shows_what_the_teacher_knows(latents):
    seen = [row(latents, z) for seed in range(4) for z in draw(latents, 8, seed, teacher_share=0.5).z]
    known = latents.known[torch.tensor(seen)].view(4, 8)
    assert known[:, :4].all()
    assert not known[:, 4:].any()
    edited = draw(latents, 8, teacher_share=0.5, edit_share=0.25)
    assert edited.given[-2:].all()
    assert not edited.given[:-2, 1:].any()


def test_what_the_teacher_knows_is_held_to_its_velocity(latents):
    batch = draw(latents)
    torch.manual_seed(3)
    dit, teacher = OrbitDiT(DIT), awake(OrbitDiT(DIT))
    losses = [
        dit_loss(dit, batch, torch.Generator().manual_seed(0), 1.0, teacher, num).item() for num in (0, 2, len(batch.z))
    ]
    generator = torch.Generator().manual_seed(0)
    t = sample_times(torch.randn(6, generator=generator), 1.0)
    eps = torch.randn(batch.z.shape, generator=generator)
    told = teacher(interpolate(batch.z, eps, t), t, *list(batch.tensors().values())[1:]).detach()
    off = [(target.square().mean((1, 2, 3, 4))) for target in (eps - batch.z, told)]  # the student says 0
    assert losses[0] == pytest.approx(off[0].mean().item(), rel=1e-5)
    assert losses[1] == pytest.approx(torch.cat([off[1][:2], off[0][2:]]).mean().item(), rel=1e-5)
    assert losses[2] == pytest.approx(off[1].mean().item(), rel=1e-5)
    assert dit_loss(teacher, batch, torch.Generator().manual_seed(0), 1.0, teacher, len(batch.z)).item() < 1e-10


def test_a_share_is_seen_at_fine_times_alone(latents):
    """The times are those that the transformer is told."""
    batch, told = draw(latents, 64), {}
    for share in (0.0, 0.6, 1.0):
        dit = OrbitDiT(DIT)
        dit.register_forward_pre_hook(lambda _, args, share=share: told.update({share: args[1]}))
        dit_loss(dit, batch, torch.Generator().manual_seed(0), 2.0, None, 0, share, 0.5)
    scaled = [torch.isclose(told[share], 0.5 * told[0.0]) for share in (0.6, 1.0)]
    assert bool(scaled[1].all())
    assert 0.4 < scaled[0].float().mean() < 0.8
    assert torch.equal(told[0.6][~scaled[0]], told[0.0][~scaled[0]])


def test_transformer_loss_falls(latents):
    torch.manual_seed(0)
    dit, generator = awake(OrbitDiT(REFERRING)), torch.Generator().manual_seed(0)
    batch = draw(latents, 32, picture_share=0.2, edit_share=0.2)
    optimizer = torch.optim.AdamW(dit.parameters(), 5e-3)
    losses = []
    for _ in range(60):
        loss = dit_loss(dit, batch, generator, 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_the_average_forgets_the_start_and_then_goes_slowly():
    ema, dit = tiny_dit(0), tiny_dit(1)
    start = [p.clone() for p in ema.parameters()]
    update_ema(ema, dit, ema_weight(0, 0.999))
    for old, new, now in zip(start, dit.parameters(), ema.parameters()):
        torch.testing.assert_close(now, 0.1 * old + 0.9 * new)
    before = [p.clone() for p in ema.parameters()]
    update_ema(ema, tiny_dit(2), ema_weight(10**6, 0.999))
    for old, new, now in zip(before, tiny_dit(2).parameters(), ema.parameters()):
        torch.testing.assert_close(now, 0.999 * old + 0.001 * new)


def test_a_step_is_compiled_on_batches_of_the_trainers_kind(latents):
    config = tiny(Path("unused"), dit=REFERRING, picture_share=0.3, edit_share=0.3)
    form, known = Format(FRAMES, SIZE, SIZE), draw(latents, 4, picture_share=0.3, edit_share=0.3)
    noise = noise_batch(config, form, 4, CPU)
    for name, value in vars(known).items():
        other = getattr(noise, name)
        assert (value.shape, value.dtype) == (other.shape, other.dtype), name
    plain = noise_batch(replace(config, picture_share=0.0, edit_share=0.0), form, 4, CPU)
    assert plain.reference is None
