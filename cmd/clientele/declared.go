package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/clientele-oauth/clientele/adapters/apiclient"
	"github.com/clientele-oauth/clientele/adapters/clientfile"
	"github.com/clientele-oauth/clientele/adapters/report"
	"github.com/clientele-oauth/clientele/api/client"
	"github.com/clientele-oauth/clientele/application/declare"
	"github.com/clientele-oauth/clientele/domain"
)

// registryFlags configure the registry to connect to, and the credentials.
type registryFlags struct {
	URL       string `env:"CLIENTELE_URL" required:"" placeholder:"URL" help:"The registry, e.g. https://clientele.example.com."`
	Token     string `env:"CLIENTELE_TOKEN" placeholder:"TOKEN" help:"Access token. Prefer the environment variable or a file: other users can see the arguments of a process."`
	TokenFile string `env:"CLIENTELE_TOKEN_FILE" type:"existingfile" placeholder:"FILE" help:"File with the access token. It is read again for each request, so another program can renew the token."`
	Tenant    string `env:"CLIENTELE_TENANT" placeholder:"TENANT" help:"Tenant to act in, for the platform role."`
	CAFile    string `name:"ca-file" env:"CLIENTELE_CA_FILE" type:"existingfile" placeholder:"FILE" help:"Certificate authorities for the registry, in PEM; replaces those of the system."`
}

// requestTimeout is the timeout for one attempt of a request to a registry.
const requestTimeout = 45 * time.Second

// connect returns a client of the registry that the flags configure.
func (f registryFlags) connect() (*apiclient.Registry, error) {
	at, err := url.Parse(f.URL)
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" {
		return nil, errors.New("--url (CLIENTELE_URL) must begin with https:// or http://")
	}
	settings := client.Settings{Tenant: f.Tenant, Token: client.StaticToken(f.Token)}
	switch {
	case f.Token == "" && f.TokenFile == "":
		return nil, errors.New("set --token-file or CLIENTELE_TOKEN to an access token")
	case f.TokenFile != "":
		settings.Token = func(context.Context) (string, error) {
			text, err := readSetting(f.TokenFile)
			return strings.TrimSpace(string(text)), err
		}
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 16, ForceAttemptHTTP2: true}
	if f.CAFile != "" {
		text, err := readSetting(f.CAFile)
		if err != nil {
			return nil, fmt.Errorf("certificate authorities: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("certificate authorities: %s has no certificate in PEM", f.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	settings.HTTP = &http.Client{Transport: transport, Timeout: requestTimeout}
	return apiclient.Connect(strings.TrimSuffix(f.URL, "/"), settings)
}

// Exit statuses of apply.
const (
	errNotApplied   = exitError(1) // something was rejected or failed
	errInvalidFiles = exitError(2) // the files are invalid
	errPending      = exitError(3) // a dry run found changes
)

type applyCommand struct {
	registryFlags `embed:"" group:"Registry"`
	Files         []string `name:"file" short:"f" required:"" placeholder:"FILE|DIR" help:"Files with clients, or folders of such files; - is standard input."`
	Prune         bool     `help:"Delete clients that are in no file."`
	DryRun        bool     `help:"Only show the planned changes, validated by the registry."`
	Yes           bool     `short:"y" help:"Apply without confirmation."`
	SecretsFile   string   `placeholder:"FILE" help:"File to append the secrets of new clients to, one JSON line per secret. Secrets are shown only once; without the file they are lost. A new file has mode 0600; a file that others can read is rejected."`
}

// Run makes the registry match the files. The exit status is 0 if it matches, 1 if
// something was rejected or failed, 2 if the files are invalid, and 3 if a dry run
// found changes.
func (c *applyCommand) Run(ctx context.Context) error {
	registry, err := c.connect()
	if err != nil {
		return err
	}
	declarations, origins, err := readDeclarations(ctx, c.Files)
	if err != nil {
		return err
	}
	plan, err := declare.NewPlan(ctx, registry, declarations, c.Prune, progress("compared"))
	if err != nil {
		return err
	}
	if err := report.Plan(os.Stdout, plan, origins); err != nil {
		return err
	}
	switch {
	case plan.Rejected() > 0:
		fmt.Fprintln(os.Stderr, "nothing was changed")
		return errNotApplied
	case plan.Changes() == 0:
		return nil
	case c.DryRun:
		return errPending
	case !c.Yes && !confirmed(plan.Changes()):
		fmt.Fprintln(os.Stderr, "nothing was changed")
		return errNotApplied
	}
	secrets, err := openSecrets(c.SecretsFile)
	if err != nil {
		return err
	}
	err = declare.Apply(ctx, registry, plan, secrets.keep, progress("applied"))
	if err := errors.Join(err, secrets.close()); err != nil {
		printError(err)
		fmt.Fprintln(os.Stderr, "completed changes are kept; run it again for the rest")
		return errNotApplied
	}
	fmt.Fprintf(os.Stderr, "changes applied: %d\n", plan.Changes())
	return nil
}

// confirmed asks for confirmation at a terminal.
func confirmed(changes int) bool {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		fmt.Fprintln(os.Stderr, "clientele: not a terminal; rerun with --yes to confirm")
		return false
	}
	fmt.Fprintf(os.Stderr, "Changes to apply: %d. Apply? [y/N] ", changes)
	line, _ := bufio.NewReader(os.Stdin).ReadString('\n') // no input means no
	return strings.EqualFold(strings.TrimSpace(line), "y") || strings.EqualFold(strings.TrimSpace(line), "yes")
}

// progressEvery is the minimum time between two progress lines.
const progressEvery = 2 * time.Second

// progress reports the progress of a long run on standard error.
func progress(done string) declare.Progress {
	last := time.Now()
	return func(n, of int) {
		if time.Since(last) >= progressEvery {
			last = time.Now()
			if of == 0 {
				fmt.Fprintf(os.Stderr, "%s %d\n", done, n)
				return
			}
			fmt.Fprintf(os.Stderr, "%s %d of %d\n", done, n, of)
		}
	}
}

// readDeclarations reads the files, and prints all problems in them to standard error.
func readDeclarations(
	ctx context.Context, names []string,
) (declarations []declare.Declaration, origins []report.Origin, err error) {
	reader, err := clientfile.NewReader()
	if err != nil {
		return nil, nil, err
	}
	wrong := 0
	addProblem := func(format string, args ...any) {
		wrong++
		note(format, args...)
	}
	declared := &clientfile.Identifiers{}
	for _, in := range inputs(ctx, names) {
		var text []byte
		if err = in.err; err == nil {
			text, err = readInput(ctx, in.name)
		}
		if err == nil {
			err = reader.Each(ctx, in.name, text, func(d clientfile.Document) error {
				problems := declared.Problems(d, in.name)
				for _, p := range problems {
					addProblem("%s:%d: at %s: %s", in.name, d.Line(p.Pointer), cmp.Or(p.Pointer, "/"), p.Message)
				}
				switch {
				case len(problems) > 0:
				case d.ClientID == "":
					addProblem("%s:%d: apply needs a client_id for each client", in.name, d.Line(""))
				default:
					declarations = append(declarations, declare.Declaration{
						ID: domain.ClientID(d.ClientID), Change: d.Change, SecretHash: d.SecretHash,
					})
					origins = append(origins, report.Origin{File: in.name, Line: d.Line})
				}
				if wrong > maxFindings {
					return fmt.Errorf("more than %d problems; the rest of the file was not read", maxFindings)
				}
				return nil
			})
		}
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if err != nil {
			addProblem("%s: cannot be read: %v", in.name, err)
		}
	}
	if wrong > 0 {
		return nil, nil, errInvalidFiles
	}
	return declarations, origins, nil
}

// secretsFile stores the secrets of new clients. Without a file it only counts them.
type secretsFile struct {
	file    *os.File // nil if --secrets-file is unset
	dropped int      // secrets that were not stored
}

func openSecrets(name string) (*secretsFile, error) {
	if name == "" {
		return &secretsFile{}, nil
	}
	file, err := openPrivate(name)
	if err != nil {
		return nil, fmt.Errorf("secrets file: %w", err)
	}
	return &secretsFile{file: file}, nil
}

// keep appends a secret and syncs the file, because the registry shows a secret only
// once.
func (s *secretsFile) keep(secret declare.Secret) error {
	if s.file == nil {
		s.dropped++
		return nil
	}
	line, err := json.Marshal(map[string]string{"client_id": string(secret.ID), "client_secret": secret.Value})
	if err != nil {
		return err
	}
	_, err = s.file.Write(append(line, '\n'))
	return errors.Join(err, s.file.Sync())
}

func (s *secretsFile) close() error {
	if s.dropped > 0 {
		fmt.Fprintf(os.Stderr, "secrets of new clients not saved: %d; rotate them, or use --secrets-file\n", s.dropped)
	}
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

type exportCommand struct {
	registryFlags `embed:"" group:"Registry"`
	Output        string `short:"o" required:"" placeholder:"DIR" help:"Folder to write to, with one file per client."`
	Force         bool   `help:"Replace existing files with different content."`
}

// Run writes each client of the tenant to its own file, in the format that apply reads.
// The exit status is 1 if existing files with different content were kept.
func (c *exportCommand) Run(ctx context.Context) error {
	registry, err := c.connect()
	if err != nil {
		return err
	}
	files, err := newWriter(c.Output, c.Force)
	if err != nil {
		return err
	}
	kept := 0
	n, err := declare.Export(ctx, registry, progress("exported"), func(r declare.Registered) error {
		err := writeClient(files, r.ID, domain.ChangeTo(r.Settings))
		if errors.Is(err, errKept) {
			kept++
			note("%s", err)
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "clients exported: %d\n", n-kept)
	if kept > 0 {
		return errNotApplied
	}
	return nil
}

// writeClient writes a client to a file that is named by [fileName].
func writeClient(files writer, id domain.ClientID, change domain.Change) error {
	text, err := clientfile.Write(id, change)
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	return files.write(fileName(id), text)
}

// fileName returns the file name for a client. Characters of the identifier that are
// special in file names or on a command line are percent-encoded; so is the first one
// of names that Windows reserves for devices. So that two clients never have the same
// name, also on file systems that ignore case, a hash is appended if the name had to be
// cut, if it has uppercase letters, or if it ends like one with a hash. The file
// contains the identifier itself.
func fileName(id domain.ClientID) string {
	name := strings.NewReplacer("*", "%2A", ":", "%3A", "$", "%24", "&", "%26", "=", "%3D", "+", "%2B").Replace(url.PathEscape(string(id)))
	if specialFileName.MatchString(name) {
		name = fmt.Sprintf("%%%02X", name[0]) + name[1:]
	}
	if len(name) > maxFileName || strings.ToLower(name) != name || endsLikeHash.MatchString(name) {
		sum := sha256.Sum256([]byte(id))
		name = name[:min(len(name), maxFileName)] + "-" + hex.EncodeToString(sum[:8])
	}
	return name + ".yaml"
}

var (
	// specialFileName matches hidden files, options of commands, home directories, and
	// devices of Windows.
	specialFileName = regexp.MustCompile(`(?i)^([.~-]|(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$))`)
	endsLikeHash    = regexp.MustCompile(`-[0-9a-f]{16}$`)
)

// maxFileName is the maximum length of a file name in bytes, without the hash and the
// extension. Most file systems allow 255 bytes in total.
const maxFileName = 220
