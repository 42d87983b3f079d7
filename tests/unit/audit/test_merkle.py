"""The tree and its proofs, beside the published vectors of Certificate Transparency and a second computation."""

import hashlib
import random

import pytest

from bridge.audit.proof.merkle import (
    EMPTY_ROOT,
    Frontier,
    block_row,
    consistency_path,
    inclusion_path,
    leaf_hash,
    prove,
    split_hashes,
    tree_root,
    verify_consistency,
    verify_inclusion,
)

# The reference vectors that certificate-transparency's own tests share.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
LEAVES = [leaf_hash(bytes.fromhex(content)) for content in INPUTS]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
CONSISTENCY = {
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
OTHER = leaf_hash(b"another record")


def recursive_root(leaves):
    """RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + recursive_root(leaves[:split]) + recursive_root(leaves[split:])).digest()


def made_leaves(count):
    return [leaf_hash(str(number).encode()) for number in range(count)]


def proof_of(leaves, path):
    return prove(path, lambda begin, end: recursive_root(leaves[begin:end]))


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_implementation(size):
    frontier = Frontier()
    frontier.extend(LEAVES[:size])
    assert tree_root(LEAVES[:size]).hex() == frontier.root().hex() == ROOTS[size]


def test_an_empty_tree_has_the_hash_of_nothing_as_its_root():
    assert EMPTY_ROOT.hex() == ROOTS[0]


@pytest.mark.parametrize(("position", "size"), INCLUSION)
def test_inclusion_proofs_are_those_of_the_reference_implementation(position, size):
    proof = proof_of(LEAVES, inclusion_path(position, size))
    assert [node.hex() for node in proof] == INCLUSION[position, size]
    assert verify_inclusion(LEAVES[position], position, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "second"), CONSISTENCY)
def test_consistency_proofs_are_those_of_the_reference_implementation(first, second):
    proof = proof_of(LEAVES, consistency_path(first, second))
    assert [node.hex() for node in proof] == CONSISTENCY[first, second]
    roots = bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second])
    assert verify_consistency(first, roots[0], second, roots[1], proof)


def test_every_leaf_of_every_small_tree_is_proved_and_no_other_is():
    leaves = made_leaves(20)
    for size in range(1, 21):
        root = recursive_root(leaves[:size])
        for position in range(size):
            proof = proof_of(leaves, inclusion_path(position, size))
            assert verify_inclusion(leaves[position], position, size, proof, root)
            assert not verify_inclusion(OTHER, position, size, proof, root)
            assert not verify_inclusion(leaves[position], position, size, [*proof, OTHER], root)
            assert not verify_inclusion(leaves[position], position, size, proof[:-1], root) or not proof
            for elsewhere in set(range(-1, size + 1)) - {position}:
                assert not verify_inclusion(leaves[position], elsewhere, size, proof, root)


def test_every_small_tree_begins_every_larger_one_and_a_changed_one_does_not():
    leaves = made_leaves(20)
    for second in range(21):
        for first in range(second + 1):
            proof = proof_of(leaves, consistency_path(first, second))
            old, new = recursive_root(leaves[:first]), recursive_root(leaves[:second])
            assert verify_consistency(first, old, second, new, proof)
            assert not verify_consistency(first, OTHER, second, new, proof)
            assert not verify_consistency(first, old, second, OTHER, proof) or first == 0
            assert not verify_consistency(first, old, second, new, [*proof, OTHER])
            assert not proof or not verify_consistency(first, old, second, new, proof[:-1])


def test_a_leaf_that_the_tree_does_not_have_has_no_path():
    with pytest.raises(ValueError, match="has none at 5"):
        inclusion_path(5, 5)


def test_a_larger_tree_cannot_begin_a_smaller_one():
    with pytest.raises(ValueError, match="cannot begin"):
        consistency_path(6, 5)
    assert not verify_consistency(6, OTHER, 5, OTHER, [])


def test_a_tree_that_grows_in_any_steps_has_the_same_root():
    leaves, chance = made_leaves(1_500), random.Random(6)
    expected = recursive_root(leaves)
    frontier = Frontier()
    while frontier.size < len(leaves):
        heights = [height for height in range(9) if frontier.size % (1 << height) == 0]
        count = 1 << chance.choice(heights)
        if frontier.size + count <= len(leaves):
            frontier.append(tree_root(leaves[frontier.size : frontier.size + count]), count)
    assert frontier.root() == tree_root(leaves) == expected


def test_a_copy_of_a_tree_grows_on_its_own():
    frontier = Frontier()
    frontier.extend(LEAVES[:5])
    frontier.copy().extend(LEAVES[5:])
    assert frontier.root().hex() == ROOTS[5]


def test_a_block_keeps_its_leaves():
    leaves = made_leaves(256)
    row = block_row(7, leaves)
    assert (row["block"], row["root"], split_hashes(row["leaves"])) == (7, recursive_root(leaves), leaves)
