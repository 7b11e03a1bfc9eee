"""Sound: frames, spectrograms and mel bands; speech made here; spoken strings and trigger words.

The names below are imported when they are first used: some need torch, and `seqlab.audio.reference` stays light.
"""

from seqlab.lazy import exports

__getattr__, __dir__, __all__ = exports(
    __name__,
    {
        "functional": ["mel", "spectrogram"],
        "modules": ["TriggerWordDetector"],
        "spoken": ["SpokenReader", "load_spoken", "spoken_strings"],
        "synthesis": ["Voice", "background", "noise", "say", "tone"],
        "trigger": ["TriggerListener", "TriggerStream", "load_trigger"],
        "wav": ["read_wav", "wav_bytes"],
    },
)
