package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
)

// heading tells where, when and with what the figures were measured.
func (b *bench) heading(ctx context.Context, s suite) (string, error) {
	programs, err := b.versions(ctx)
	if err != nil {
		return "", err
	}
	machine, err := machine(b.root)
	if err != nil {
		return "", err
	}
	_, settings, err := b.postgresFacts(ctx)
	if err != nil {
		return "", err
	}
	b.setting("PostgreSQL: %s", settings)
	kind := ""
	if b.quick {
		kind = ", quick"
	}
	lines := []string{
		fmt.Sprintf("%s: %s (%s%s)\n", s.name, s.about, b.began.UTC().Format("2006-01-02 15:04 UTC"), kind),
		"- machine: " + machine + ", load when it began " + b.load,
		"- versions: " + strings.Join(programs, ", "),
	}
	for _, line := range b.settings {
		lines = append(lines, "- "+line)
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// versions are those of everything that takes part.
func (b *bench) versions(ctx context.Context) ([]string, error) {
	info, err := buildinfo.ReadFile(b.ream)
	if err != nil {
		return nil, err
	}
	revision, err := revision(ctx, info)
	if err != nil {
		return nil, err
	}
	embedded := ""
	for _, m := range info.Deps {
		if m.Path == "modernc.org/sqlite" {
			embedded = m.Version
		}
	}
	version, _, err := b.postgresFacts(ctx)
	if err != nil {
		return nil, err
	}
	all := []string{"ream " + revision, info.GoVersion, "modernc.org/sqlite " + embedded, "PostgreSQL " + version}
	for _, command := range [][]string{{"nginx", "-v"}, {"curl", "--version"}, {"wrk", "--version"}} {
		// wrk tells its version and then that it did not run.
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
		if len(out) == 0 {
			return nil, fmt.Errorf("%s: %w", command[0], err)
		}
		fields := strings.Fields(strings.TrimPrefix(string(out), "nginx version: "))
		all = append(all, strings.Join(fields[:min(len(fields), 2)], " "))
	}
	return all, nil
}

// revision is the one that a program was built from, or that of the source tree
// if the build did not keep it.
func revision(ctx context.Context, info *buildinfo.BuildInfo) (string, error) {
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "-dirty"
		}
	}
	if revision != "" {
		return revision + changed, nil
	}
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12").Output()
	if err != nil {
		return "", fmt.Errorf("git describe: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// machine describes the hardware, the kernel and the file system of a
// directory.
func machine(dir string) (string, error) {
	var memory syscall.Sysinfo_t
	var fs syscall.Statfs_t
	if err := syscall.Sysinfo(&memory); err != nil {
		return "", err
	}
	if err := syscall.Statfs(dir, &fs); err != nil {
		return "", err
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	names := map[int64]string{0xef53: "ext4", 0x01021994: "tmpfs", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x794c7630: "overlayfs"}
	name, ok := names[fs.Type]
	if !ok {
		name = fmt.Sprintf("file system %#x", fs.Type)
	}
	return fmt.Sprintf("%s, %d cores, %d GiB, Linux %s, %s", processor(), runtime.NumCPU(),
		(memory.Totalram*uint64(memory.Unit)+1<<29)>>30, strings.TrimSpace(string(release)), name), nil
}

// processor is the name of the processor, as far as the kernel knows it.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
