"""The rest of docs/ecosystem.md."""


def test_any_client_of_httpx(program):
    reply = program("Anything else")["reply"]
    assert reply.status_code == 200
    assert "Paris" in reply.json()["choices"][0]["message"]["content"]
