//go:build acceptance

package acceptance_test

import (
	"archive/zip"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newestPostgres is the newest release of PostgreSQL that the store is tested on, in
// addition to the installed one.
const newestPostgres = "18.6.0"

// needClientTools matches the tests that need pg_dump or pg_basebackup of the server's
// release. The archives contain only the server, so these tests run only on the installed
// PostgreSQL.
const needClientTools = "^TestACursorAfter(ALaggingStandbyWasPromoted|PointInTimeRecovery|ADumpWasLoadedElsewhere|ADumpOfAnotherCopyOfTheServer)$"

// The tests of the store pass on the newest PostgreSQL.
func TestTheStoreOnTheNewestPostgreSQL(t *testing.T) {
	bin := postgresBinaries(t, newestPostgres)
	major, _, _ := strings.Cut(newestPostgres, ".")
	require.Contains(t, execute(t, ".", nil, filepath.Join(bin, "postgres"), "--version"), " "+major+".")
	output := execute(t, "../..", []string{"PG_BIN=" + bin, "TEST_DATABASE_URL="}, tool(t, "go", "golang"), "test", "./adapters/postgres",
		"-skip", needClientTools)
	assert.Contains(t, output, "ok")
}

// postgresBinaries returns the folder with the programs of a release, from the archives for
// embedded servers on Maven Central. The archive is kept in the user's cache. It is unpacked
// each time, into a folder that the server's account can read.
func postgresBinaries(t *testing.T, release string) string {
	t.Helper()
	platform, ok := map[string]string{
		"linux/amd64": "linux-amd64", "linux/arm64": "linux-arm64v8", "darwin/amd64": "darwin-amd64", "darwin/arm64": "darwin-arm64v8",
	}[runtime.GOOS+"/"+runtime.GOARCH]
	require.True(t, ok, "no binaries for %s/%s", runtime.GOOS, runtime.GOARCH)
	name := "embedded-postgres-binaries-" + platform
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	cache = filepath.Join(cache, "clientele-tests")
	archive := filepath.Join(cache, name+"-"+release+".jar")
	if _, err := os.Stat(archive); err != nil {
		execute(t, ".", nil, tool(t, "mvn", "maven default-jdk-headless"), "--batch-mode", "--quiet", "dependency:copy",
			"-Dartifact=io.zonky.test.postgres:"+name+":"+release, "-DoutputDirectory="+cache)
	}
	dir, err := os.MkdirTemp("", "postgres")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755)) // the server runs under another account
	packed := filepath.Join(dir, "postgres.txz")
	unzip(t, archive, ".txz", packed)
	execute(t, dir, nil, tool(t, "tar", "tar"), "--extract", "--xz", "--file", packed)
	execute(t, dir, nil, tool(t, "chmod", "coreutils"), "-R", "a+rX", dir)
	return filepath.Join(dir, "bin")
}

// unzip extracts the only file of a zip archive whose name has the suffix.
func unzip(t *testing.T, archive, suffix, to string) {
	t.Helper()
	files, err := zip.OpenReader(archive)
	require.NoError(t, err)
	defer func() { _ = files.Close() }()
	for _, file := range files.File {
		if !strings.HasSuffix(file.Name, suffix) {
			continue
		}
		from, err := file.Open()
		require.NoError(t, err)
		defer from.Close()
		out, err := os.Create(to)
		require.NoError(t, err)
		_, err = io.Copy(out, from)
		require.NoError(t, err)
		require.NoError(t, out.Close())
		return
	}
	require.Fail(t, "the archive has no "+suffix)
}
