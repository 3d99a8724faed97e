// Command tessera is the least HTTP server around Tessera's POSIX driver: POST /add answers with the index of the entry once it
// is in the tree, as its own documentation shows. Only tree heads are signed, once a second.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const maxEntry = 65_535

func main() {
	dir := flag.String("dir", "", "folder of the log")
	listen := flag.String("listen", "", "address to listen on")
	flag.Parse()
	if err := serve(*dir, *listen); err != nil {
		log.Fatal(err)
	}
}

func serve(dir, listen string) error {
	ctx := context.Background()
	signer, err := note.NewSigner(os.Getenv("LOG_PRIVATE_KEY"))
	if err != nil {
		return fmt.Errorf("LOG_PRIVATE_KEY: %w", err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(time.Second).
		// Batches close after a few milliseconds, so that few callers are not kept waiting.
		WithBatching(256, 5*time.Millisecond)
	appender, _, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	http.HandleFunc("POST /add", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEntry))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		index, err := appender.Add(ctx, tessera.NewEntry(body))()
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%d", index.Index)
	})
	http.HandleFunc("GET /checkpoint", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, "checkpoint"))
	})
	return http.ListenAndServe(listen, nil)
}
