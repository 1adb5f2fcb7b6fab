"""IANA's numbers: known ones have names, the others keep their number."""

from __future__ import annotations

import pickle

import pytest

from ikepy.wire.registry import (
    TRANSFORM_IDS,
    AttributeType,
    CfgAttributeType,
    EncrId,
    ExchangeType,
    KeMethod,
    NotifyType,
    PayloadType,
    TransformType,
)


def test_a_known_number_prints_its_name() -> None:
    assert str(ExchangeType(35)) == "IKE_AUTH"
    assert ExchangeType(35).is_known
    assert repr(EncrId(20)) == "EncrId.AES_GCM_16"


def test_an_unknown_number_keeps_its_value_and_prints_it() -> None:
    unknown = NotifyType(40999)

    assert unknown == 40999
    assert str(unknown) == "NotifyType.40999"
    assert not unknown.is_known
    assert unknown == NotifyType(40999)
    assert hash(unknown) == hash(NotifyType(40999))
    assert pickle.loads(pickle.dumps(unknown)) == unknown


@pytest.mark.parametrize(
    ("kind", "value"), [(PayloadType, 256), (PayloadType, -1), (NotifyType, 65536), (AttributeType, 0x8000)]
)
def test_a_number_its_field_cannot_hold_is_no_value(kind: type[PayloadType], value: int) -> None:
    with pytest.raises(ValueError, match=str(value)):
        kind(value)


def test_a_name_is_no_number() -> None:
    with pytest.raises(ValueError, match="IKE_AUTH"):
        ExchangeType("IKE_AUTH")


def test_fields_of_fifteen_bits_end_at_their_limit() -> None:
    assert CfgAttributeType(0x7FFF) == 0x7FFF
    with pytest.raises(ValueError, match="32768"):
        CfgAttributeType(0x8000)


def test_notifies_below_16384_are_errors() -> None:
    assert NotifyType(16383).is_error
    assert not NotifyType(16384).is_error


def test_additional_key_exchanges_have_key_exchange_methods() -> None:
    assert {TRANSFORM_IDS[TransformType(number)] for number in range(6, 13)} == {KeMethod}
