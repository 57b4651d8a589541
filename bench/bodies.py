"""The requests that are sent, by name: path, model and JSON."""
import json

EVENTS = 100
PROMPT_BYTES = 200_000

CHAT = "/v1/chat/completions"
SMALL, PROMPT, EMBEDDINGS = "small", "prompt-200k", "embeddings"
EVENTS_UNPACED, EVENTS_20MS, EVENTS_50MS = "events", "events-20ms", "events-50ms"
EVENTS_LONG = "events-long"

# The simulator does what a model's name says.
MODELS = {
    SMALL: "mock",
    PROMPT: "mock",
    EMBEDDINGS: "mock",
    EVENTS_UNPACED: f"mock-events-{EVENTS}",
    EVENTS_20MS: f"mock-events-{EVENTS}-paced-20",
    EVENTS_50MS: f"mock-events-{EVENTS}-paced-50",
    EVENTS_LONG: "mock-events-100000",
}
TEXT = "The quick brown fox jumps over the lazy dog, and the dog, being lazy, lets it pass without a word. "


def path(name):
    return "/v1/embeddings" if name == EMBEDDINGS else CHAT


def conversation(model, size, stream):
    """A chat request of exactly `size` bytes."""
    body = {"model": model, "temperature": 0.7, "max_tokens": 4096, "user": "bench",
            "messages": [{"role": "system", "content": "You are a helpful assistant. " + TEXT}]}
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    message = json.dumps({"role": "user", "content": TEXT})
    count = (size - len(json.dumps(body))) // (len(message) + len(", ")) - 1
    body["messages"] += [{"role": "user", "content": TEXT} for _ in range(max(count, 1))]
    body["messages"][-1]["content"] += "x" * (size - len(json.dumps(body)))
    return json.dumps(body)


def body(name):
    if name == EMBEDDINGS:
        # As the official SDKs ask: base64. 1,536 dimensions come back in 8 kB.
        return json.dumps({"model": MODELS[name], "input": [TEXT * 4], "encoding_format": "base64", "dimensions": 1536})
    return conversation(MODELS[name], PROMPT_BYTES if name == PROMPT else 1500, name.startswith("events"))
