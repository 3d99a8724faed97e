// Command vectors prints docs/spec/vectors/log-go.json: notes, cosignatures, proofs and receipts as the libraries of Go
// make them, for our own code to read. Only the times of the cosignatures differ from run to run.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"filippo.io/torchwood"
	f_note "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const logName = "kernel.example.com/vectors/log/0"

type keyVector struct {
	Seed string `json:"seed"`
	VKey string `json:"vkey"`
}

type noteVector struct {
	Name string `json:"name"`
	Note string `json:"note"`
	// Whose signatures are on it: the log's, and the witnesses'.
	Signed []string `json:"signed"`
}

type consistencyVector struct {
	FirstSize  int64    `json:"firstSize"`
	FirstRoot  string   `json:"firstRoot"`
	SecondSize int64    `json:"secondSize"`
	SecondRoot string   `json:"secondRoot"`
	Path       []string `json:"path"`
}

type proofVector struct {
	Size  int64  `json:"size"`
	Index int64  `json:"index"`
	Leaf  string `json:"leaf"`
	Extra string `json:"extra"`
	Proof string `json:"proof"`
}

type vectors struct {
	Log         keyVector           `json:"log"`
	Witnesses   []keyVector         `json:"witnesses"`
	Notes       []noteVector        `json:"notes"`
	Consistency []consistencyVector `json:"consistency"`
	Proofs      []proofVector       `json:"proofs"`
}

// hashes keeps the tree of leaves 0, 1, ... whose data is the text "leaf <n>".
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = h[index]
	}
	return found, nil
}

func leaf(n int64) []byte { return fmt.Appendf(nil, "leaf %d", n) }

func seedOf(kid string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("illuvrse-kernel test vector key " + kid))
	return ed25519.NewKeyFromSeed(seed[:])
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func main() {
	var out vectors

	logKey := seedOf("vector-checkpoint-1")
	logVKey := must(note.NewEd25519VerifierKey(logName, logKey.Public().(ed25519.PublicKey)))
	out.Log = keyVector{hex.EncodeToString(logKey.Seed()), logVKey}
	logSigner := must(note.NewSigner(signerText(logKey)))
	var witnesses []note.Signer
	for n := 1; n <= 2; n++ {
		key := seedOf(fmt.Sprintf("vector-witness-%d", n))
		signer := must(torchwood.NewCosignatureSigner(fmt.Sprintf("witness-%d.example.org", n), key))
		out.Witnesses = append(out.Witnesses, keyVector{hex.EncodeToString(key.Seed()), signer.Verifier().String()})
		witnesses = append(witnesses, signer)
		// Both libraries must name the key alike.
		must(f_note.NewVerifierForCosignatureV1(signer.Verifier().String()))
	}

	var tree hashes
	for n := int64(0); n < 1000; n++ {
		tree = append(tree, must(tlog.StoredHashes(n, leaf(n), tree))...)
	}
	rootOf := func(size int64) tlog.Hash { return must(tlog.TreeHash(size, tree)) }
	checkpoint := func(size int64, extension string, signers ...note.Signer) string {
		text := torchwood.Checkpoint{Origin: logName, Tree: tlog.Tree{N: size, Hash: rootOf(size)}, Extension: extension}
		return string(must(note.Sign(&note.Note{Text: text.String()}, signers...)))
	}
	out.Notes = []noteVector{
		{"signed by the log", checkpoint(1000, "", logSigner), []string{"log"}},
		{"cosigned by two", checkpoint(1000, "", logSigner, witnesses[0], witnesses[1]), []string{"log", "witness-1", "witness-2"}},
		{"with extension lines", checkpoint(999, "one\ntwo\n", logSigner, witnesses[1]), []string{"log", "witness-2"}},
		{"without leaves", checkpoint(0, "", logSigner, witnesses[0]), []string{"log", "witness-1"}},
	}

	sizes := []int64{1, 2, 3, 4, 6, 7, 8, 255, 256, 257, 768, 999, 1000}
	for i, first := range sizes {
		for _, second := range sizes[i:] {
			vector := consistencyVector{FirstSize: first, SecondSize: second, Path: []string{}}
			vector.FirstRoot, vector.SecondRoot = rootOf(first).String(), rootOf(second).String()
			for _, hash := range must(tlog.ProveTree(second, first, tree)) {
				vector.Path = append(vector.Path, hash.String())
			}
			out.Consistency = append(out.Consistency, vector)
		}
	}

	signed := checkpoint(1000, "", logSigner, witnesses[0], witnesses[1])
	for _, index := range []int64{0, 1, 255, 256, 700, 999} {
		receipt := proof.TLogProof{Index: uint64(index), Checkpoint: []byte(signed)}
		if index == 700 {
			receipt.ExtraData = []byte("a hint")
		}
		for _, hash := range must(tlog.ProveRecord(1000, index, tree)) {
			receipt.Hashes = append(receipt.Hashes, hash)
		}
		out.Proofs = append(out.Proofs, proofVector{
			Size: 1000, Index: index, Leaf: string(leaf(index)),
			Extra: base64.StdEncoding.EncodeToString(receipt.ExtraData), Proof: string(receipt.Marshal()),
		})
	}

	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(out); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// signerText is the private key as note.NewSigner reads it.
func signerText(key ed25519.PrivateKey) string {
	public := append([]byte{1}, key.Public().(ed25519.PublicKey)...)
	hash := sha256.Sum256(append([]byte(logName+"\n"), public...))
	private := base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...))
	return fmt.Sprintf("PRIVATE+KEY+%s+%x+%s", logName, hash[:4], private)
}
