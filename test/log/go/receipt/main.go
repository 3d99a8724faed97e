// Command receipt verifies offline that an event is in the log of a kernel, with the libraries of transparency-dev: the
// receipt is a c2sp.org/tlog-proof, the event its canonical bytes.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	f_proof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type texts []string

func (t *texts) String() string         { return strings.Join(*t, " ") }
func (t *texts) Set(value string) error { *t = append(*t, value); return nil }

func main() {
	var witnesses texts
	logVKey := flag.String("log", "", "vkey of the log")
	flag.Var(&witnesses, "witness", "vkey of a witness; may be repeated")
	quorum := flag.Int("quorum", 0, "how many of the witnesses must have cosigned")
	eventFile := flag.String("event", "", "file with the canonical bytes of the event")
	receiptFile := flag.String("receipt", "", "file with the receipt")
	flag.Parse()
	if err := verify(*logVKey, witnesses, *quorum, *eventFile, *receiptFile); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func verify(logVKey string, witnesses []string, quorum int, eventFile, receiptFile string) error {
	event, err := os.ReadFile(eventFile)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(receiptFile)
	if err != nil {
		return err
	}
	// Files end with a line feed more readily than canonical bytes do.
	event = bytes.TrimSuffix(event, []byte("\n"))
	var receipt f_proof.TLogProof
	if err := receipt.Unmarshal(text); err != nil {
		return fmt.Errorf("the receipt: %w", err)
	}
	logKey, err := note.NewVerifier(logVKey)
	if err != nil {
		return fmt.Errorf("the log's key: %w", err)
	}
	var others []note.Verifier
	for _, vkey := range witnesses {
		key, err := f_note.NewVerifierForCosignatureV1(vkey)
		if err != nil {
			return fmt.Errorf("a witness's key: %w", err)
		}
		others = append(others, key)
	}
	checkpoint, _, opened, err := f_log.ParseCheckpoint(receipt.Checkpoint, logKey.Name(), logKey, others...)
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	if cosigned := len(opened.Sigs) - 1; cosigned < quorum {
		return fmt.Errorf("the checkpoint has %d cosignatures of these witnesses, %d are asked for", cosigned, quorum)
	}
	path := make([][]byte, len(receipt.Hashes))
	for i := range receipt.Hashes {
		path[i] = receipt.Hashes[i][:]
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(event)
	err = proof.VerifyInclusion(rfc6962.DefaultHasher, receipt.Index, checkpoint.Size, leaf, path, checkpoint.Hash)
	if err != nil {
		return fmt.Errorf("the event is not shown to be at index %d: %w", receipt.Index, err)
	}
	fmt.Printf("in %s at index %d of %d, cosigned by %d\n", checkpoint.Origin, receipt.Index, checkpoint.Size, len(opened.Sigs)-1)
	return nil
}
