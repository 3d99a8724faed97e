// Command follow reads a whole log (c2sp.org/tlog-tiles) with the client of filippo.io/torchwood: its checkpoint, its hash
// tiles and its entries, each of which is checked against the signed root.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var (
	url        = flag.String("url", "", "prefix of the log: its checkpoint and hash tiles")
	entriesURL = flag.String("entries", "", "prefix of its entries, where that is another one")
	vkey       = flag.String("log", "", "vkey of the log")
	ca         = flag.String("ca", "", "authorities (PEM) of the servers")
	cert       = flag.String("cert", "", "client certificate (PEM) for the entries")
	key        = flag.String("key", "", "its private key (PEM)")
	from       = flag.Int64("from", 0, "first entry to read")
)

// split fetches entries from one server and all else from another.
type split struct{ hashes, entries *torchwood.TileFetcher }

func (s split) ReadTiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error) {
	if len(tiles) > 0 && tiles[0].L == -1 {
		return s.entries.ReadTiles(ctx, tiles)
	}
	return s.hashes.ReadTiles(ctx, tiles)
}
func (s split) ReadEndpoint(ctx context.Context, path string) ([]byte, error) {
	return s.hashes.ReadEndpoint(ctx, path)
}
func (s split) SaveTiles([]tlog.Tile, [][]byte) {}

func main() {
	flag.Parse()
	if err := follow(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func follow(ctx context.Context) error {
	client, err := httpClient()
	if err != nil {
		return err
	}
	fetcher := func(prefix string) (*torchwood.TileFetcher, error) {
		return torchwood.NewTileFetcher(prefix, torchwood.WithHTTPClient(client), torchwood.WithConcurrencyLimit(8))
	}
	hashes, err := fetcher(*url)
	if err != nil {
		return err
	}
	if *entriesURL == "" {
		*entriesURL = *url
	}
	entries, err := fetcher(*entriesURL)
	if err != nil {
		return err
	}
	reader := split{hashes, entries}
	verifier, err := note.NewVerifier(*vkey)
	if err != nil {
		return fmt.Errorf("the log's key: %w", err)
	}
	signed, err := reader.ReadEndpoint(ctx, "checkpoint")
	if err != nil {
		return err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	if checkpoint.Origin != verifier.Name() {
		return fmt.Errorf("the checkpoint is of %s", checkpoint.Origin)
	}
	log, err := torchwood.NewClient(reader, torchwood.WithTimeout(time.Minute))
	if err != nil {
		return err
	}
	next := *from
	for next < checkpoint.N {
		before := next
		for index, entry := range log.Entries(ctx, checkpoint.Tree, next) {
			if index != next || len(entry) == 0 {
				return fmt.Errorf("entry %d came when %d was next", index, next)
			}
			next++
		}
		if err := log.Err(); err != nil {
			return err
		}
		if next == before {
			return errors.New("the log has fewer entries than its checkpoint says")
		}
	}
	fmt.Printf("%s: %d entries\n", checkpoint.Origin, checkpoint.N)
	return nil
}

func httpClient() (*http.Client, error) {
	settings := &tls.Config{}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		if err != nil {
			return nil, err
		}
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", *ca)
		}
	}
	if *cert != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, err
		}
		settings.Certificates = []tls.Certificate{pair}
	}
	if *entriesURL != "" && strings.HasPrefix(*entriesURL, "http://") && *cert != "" {
		return nil, errors.New("a client certificate is of no use over http")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = settings
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}, nil
}
