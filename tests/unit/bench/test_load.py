"""What the load generator sends, and what it reads of an answer."""

import pytest
from bench.load import NUMBER, BadAnswer, Head, Loaded, Request, prebuilt, read_head

ANSWER = b'HTTP/1.1 201 Created\r\nETag: "1"\r\nLocation: /api/x/v1/things/Ab1\r\nContent-Length: 4\r\n\r\n{"a"'


def test_the_head_of_an_answer_tells_status_size_and_place() -> None:
    assert read_head(ANSWER) == Head(201, len(ANSWER), "/api/x/v1/things/Ab1")


def test_a_head_may_arrive_in_pieces() -> None:
    assert read_head(ANSWER[:30]) is None
    assert read_head(ANSWER[:-4]) == Head(201, len(ANSWER), "/api/x/v1/things/Ab1")


def test_an_answer_without_a_body_needs_no_length() -> None:
    assert read_head(b"HTTP/1.1 304 Not Modified\r\nx: y\r\n\r\n") == Head(304, 35, "")


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
)
def test_an_answer_that_cannot_be_measured_is_an_error(answer: bytes) -> None:
    with pytest.raises(BadAnswer):
        read_head(answer)


def test_a_request_states_the_length_that_it_has_with_its_number() -> None:
    (pieces,) = prebuilt(Request("POST", "/x", "secret", [f'{{"t":"灯 {NUMBER}"}}'], key="k"), "h:1")
    head, _, body = (b"%010d" % 7).join(pieces).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert b"Idempotency-Key: k-0000000007" in head.split(b"\r\n")
    assert b"Authorization: Bearer secret" in head.split(b"\r\n")
    assert body.decode() == '{"t":"灯 0000000007"}'


def test_a_query_has_no_body_and_no_key() -> None:
    (pieces,) = prebuilt(Request("GET", "/x?q=1"), "h:1")
    assert pieces == (b"GET /x?q=1 HTTP/1.1\r\nHost: h:1\r\n\r\n",)


def test_only_answers_of_success_count_as_accepted() -> None:
    loaded = Loaded(2.0, {"201": 8, "200": 2, "429": 5}, [1.0, 3.0], [], [], [], 0, 0.1)
    assert (loaded.accepted, loaded.refused, loaded.rate) == (10, 5, 5.0)
