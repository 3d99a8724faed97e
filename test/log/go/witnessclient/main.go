// Command witnessclient submits checkpoints of a log of its own to a witness (c2sp.org/tlog-witness), and verifies the
// cosignatures with two libraries. For each size it prints the status and the size that the witness answers with.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"filippo.io/torchwood"
	f_note "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var (
	origin   = flag.String("origin", "go.example.com/log", "name of the log")
	phrase   = flag.String("key", "go", "phrase from whose SHA-256 the log's key is made")
	url      = flag.String("url", "", "submission prefix of the witness")
	vkey     = flag.String("witness", "", "vkey of the witness")
	view     = flag.String("view", "leaf", "what the leaves say: another word is another view")
	old      = flag.Int64("old", 0, "size that the witness is thought to have cosigned")
	sizes    = flag.String("sizes", "", "sizes to submit, one after the other")
	showVKey = flag.Bool("vkey", false, "print the vkey of the log, and nothing else")
)

type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		found[i] = h[index]
	}
	return found, nil
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func main() {
	flag.Parse()
	seed := sha256.Sum256([]byte(*phrase))
	key := ed25519.NewKeyFromSeed(seed[:])
	logVKey := must(note.NewEd25519VerifierKey(*origin, key.Public().(ed25519.PublicKey)))
	if *showVKey {
		fmt.Println(logVKey)
		return
	}
	signer := must(note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", *origin, strings.Split(logVKey, "+")[1],
		base64.StdEncoding.EncodeToString(append([]byte{1}, seed[:]...)))))
	verifier := must(f_note.NewVerifierForCosignatureV1(*vkey))

	var tree hashes
	known := *old
	for _, text := range strings.Split(*sizes, ",") {
		size := must(strconv.ParseInt(text, 10, 64))
		for n := int64(0); n < size; n++ {
			if int64(len(tree)) <= tlog.StoredHashIndex(0, n) {
				tree = append(tree, must(tlog.StoredHashes(n, fmt.Appendf(nil, "%s %d", *view, n), tree))...)
			}
		}
		checkpoint := torchwood.Checkpoint{Origin: *origin, Tree: tlog.Tree{N: size, Hash: must(tlog.TreeHash(size, tree))}}
		signed := must(note.Sign(&note.Note{Text: checkpoint.String()}, signer))

		var body bytes.Buffer
		fmt.Fprintf(&body, "old %d\n", known)
		if known > 0 && known < size {
			for _, hash := range must(tlog.ProveTree(size, known, tree)) {
				fmt.Fprintln(&body, hash)
			}
		}
		fmt.Fprintln(&body)
		body.Write(signed)
		client := http.Client{Timeout: 10 * time.Second}
		response := must(client.Post(*url+"/add-checkpoint", "text/plain", &body))
		answer := must(io.ReadAll(response.Body))
		response.Body.Close()
		fmt.Printf("%d %d %s", size, response.StatusCode, response.Header.Get("Content-Type"))
		if response.StatusCode == http.StatusConflict {
			fmt.Printf(" %s", strings.TrimSpace(string(answer)))
		}
		fmt.Println()
		if response.StatusCode != http.StatusOK {
			continue
		}
		known = size
		opened := must(note.Open(append(signed, answer...), note.VerifierList(verifier)))
		at := must(f_note.CoSigV1Timestamp(opened.Sigs[0]))
		other := must(torchwood.CosignatureTimestamp(opened.Sigs[0]))
		if at.Unix() != other || time.Since(at).Abs() > time.Hour {
			fmt.Fprintf(os.Stderr, "the cosignature is of %s\n", at)
			os.Exit(1)
		}
	}
}
