"""The training loop of the commands: it learns, it can be stopped anywhere, and it goes on to the very same end."""

import os
import signal

import pytest
import torch

from seqlab.learning import learn, load_checkpoint


def model(seed=0):
    """A line with dropout before it, so that a model's own random numbers matter too."""
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Dropout(0.2), torch.nn.Linear(3, 1))


def draw(step, rng):
    x = torch.tensor(rng.normal(size=(8, 3)), dtype=torch.float32)
    return x, x @ torch.tensor([[1.0], [-2.0], [0.5]])


def loss(model, batch):
    x, y = batch
    return ((model(x) - y) ** 2).mean()


def weights(model):
    return torch.cat([weight.flatten() for weight in model.parameters()])


def trained(steps=30, **more):
    line = model()
    return line, learn(line, loss, draw, steps=steps, lr=0.05, progress=False, **more)


def test_a_line_is_found_and_the_history_says_so():
    line, history = trained(200, evaluate=lambda m: {"training": float(m.training)}, every=50)
    assert history["step"] == [50, 100, 150, 200]
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["training"] == [0.0] * 4  # measured in evaluation mode
    assert history["seconds"] == sorted(history["seconds"])
    assert not torch.allclose(weights(line), weights(model()))


def test_the_same_seed_gives_the_same_weights_and_another_gives_others():
    assert torch.equal(weights(trained()[0]), weights(trained()[0]))
    assert not torch.equal(weights(trained()[0]), weights(trained(seed=1)[0]))


def test_the_generators_outside_are_left_as_they_were():
    line = model()
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    learn(line, loss, draw, steps=3, progress=False)
    assert torch.equal(torch.rand(3), wanted)


def test_ctrl_c_writes_the_checkpoint_and_the_run_goes_on_to_the_same_end(tmp_path):
    whole, history = trained(every=10)
    path = tmp_path / "run.checkpoint"

    def draw_and_stop(step, rng):
        if step == 13:
            os.kill(os.getpid(), signal.SIGINT)
        return draw(step, rng)

    line, before = model(), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt, match=r"stopped after step 14 of 30; .* run the same again to go on"):
            learn(line, loss, draw_and_stop, steps=30, lr=0.05, every=10, checkpoint=path, progress=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert load_checkpoint(path)["place"]["step"] == 14
    line, again = trained(every=10, checkpoint=path)
    assert torch.equal(weights(line), weights(whole))
    assert again["loss"] == history["loss"]
    assert again["step"] == history["step"] == [10, 20, 30]


def test_a_checkpoint_of_another_run_is_refused_and_stays(tmp_path):
    path = tmp_path / "run.checkpoint"
    trained(checkpoint=path)
    held = path.read_bytes()
    with pytest.raises(ValueError, match="made with another seed 0, not 1"):
        trained(checkpoint=path, seed=1)
    with pytest.raises(ValueError, match="made with another steps 30, not 40"):
        trained(40, checkpoint=path)
    with pytest.raises(ValueError, match="of another model"):
        learn(torch.nn.Linear(4, 1), loss, draw, steps=30, lr=0.05, checkpoint=path, progress=False)
    path.write_bytes(held[:100])
    with pytest.raises(ValueError, match="is no checkpoint of a training run, or it is damaged"):
        trained(checkpoint=path)
    assert path.read_bytes() == held[:100]


def test_a_loss_that_is_no_number_is_told_with_its_step():
    with pytest.raises(ValueError, match="the loss is nan at step 7 of 7: lower lr or clip"):
        learn(model(), lambda m, batch: loss(m, batch) * float("nan"), draw, steps=7, clip=None, progress=False)


def test_the_schedule_and_the_report_see_how_far_the_run_is():
    seen, said = [], []

    def halved(done):
        seen.append(done)
        return 0.5

    learn(model(), loss, draw, steps=4, schedule=halved, progress=lambda *line: said.append(line))
    assert seen == [0, 0.25, 0.5, 0.75]
    assert said[-1][:2] == (4, 4)
    assert said[-1][2].startswith("loss ")


def test_after_is_called_with_each_line_of_the_history():
    lengths = []
    trained(30, every=10, after=lambda model, history: lengths.append(len(history["loss"])))
    assert lengths == [1, 2, 3]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"steps": 0}, "steps is 0; it must be a whole number, at least 1"),
        ({"steps": 3, "every": 1.5}, "every is 1.5; it must be a whole number"),
        ({"steps": 3, "clip": 0}, "clip is 0; it must be above 0, or None"),
        ({"steps": 3, "checkpoint": "nowhere/run"}, "its folder does not exist: make it first"),
    ],
)
def test_a_wrong_argument_is_named(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        learn(model(), loss, draw, progress=False, **wrong)
