package rig

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/filelessd/filelessd/pkg/event"
)

// Shape is how the alerts of a load differ from each other.
type Shape string

// The shapes.
const (
	Distinct Shape = "distinct" // each has a command line of its own
	Alike    Shape = "alike"    // only time and process differ: one attack, repeated
	Hosts    Shape = "hosts"    // each comes from a host of its own
)

// Valid reports whether s is one of the shapes.
func (s Shape) Valid() bool { return s == Distinct || s == Alike || s == Hosts }

const (
	// alertSize is the length of an alert in bytes, give or take the digits of its numbers.
	alertSize = 1500
	// firstPid is the proc.pid of alert 0.
	firstPid = 1_000_000
)

var pidKey = []byte(`"proc.pid":`)

// AppendAlert appends alert number n as Falco's http_output writes one, with the fields that Falco's
// stock rule and its container plug-in print. Each matches by several of them.
func AppendAlert(b []byte, shape Shape, n int) []byte {
	args, host := "fixed", "node-1"
	switch shape {
	case Distinct:
		args = strconv.Itoa(n)
	case Hosts:
		host = "node-" + strconv.Itoa(n)
	}
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Millisecond)
	from := len(b)
	b = fmt.Appendf(b, `{"hostname":%q,"output":"%s: Critical Fileless execution via memfd_create | `+
		`container_start_ts=1795439482000000000 proc_cwd=/srv/ evt_res=SUCCESS proc_sname=php-fpm gparent=containerd-shim `+
		`evt_type=execve user=www-data user_uid=33 user_loginuid=-1 process=3 proc_exepath=memfd:stage2 parent=php-fpm8.2 `+
		`command=3 -o %s terminal=0 exe_flags=EXE_WRITABLE|EXE_FROM_MEMFD container_id=9f2d61c07be3 k8s_ns_name=shop"`,
		host, at.Format("15:04:05.000000000"), args)
	b = fmt.Appendf(b, `,"output_fields":{"container.id":"9f2d61c07be3","container.image.repository":"registry.example/shop/web",`+
		`"container.image.tag":"1.4","container.name":"web","container.start_ts":1795439482000000000,`+
		`"evt.arg.flags":"EXE_WRITABLE|EXE_FROM_MEMFD","evt.res":"SUCCESS","evt.time":%d,"evt.type":"execve",`+
		`"k8s.ns.name":"shop","k8s.pod.name":"shop-web-7c9d","proc.aname[2]":"containerd-shim","proc.cmdline":"3 -o %s",`+
		`"proc.cwd":"/srv/","proc.exepath":"memfd:stage2","proc.is_exe_from_memfd":true,"proc.name":"3",`+
		`"proc.pexepath":"/usr/sbin/php-fpm8.2","proc.pid":%d,"proc.pname":"php-fpm8.2","proc.sname":"php-fpm","proc.tty":0,`+
		`"user.loginuid":-1,"user.name":"www-data","user.uid":33}`, at.UnixNano(), args, firstPid+n)
	b = fmt.Appendf(b, `,"priority":"Critical","rule":%q,"source":"syscall","tags":["T1620","container","maturity_stable"`,
		event.StockMemfdRule)
	const end = `,"time":"2006-01-02T15:04:05.000000000Z"}`
	if pad := alertSize - (len(b) - from) - len(`,""]`) - len(end); pad > 0 {
		b = append(append(append(b, `,"`...), bytes.Repeat([]byte("x"), pad)...), '"')
	}
	return append(append(append(b, `],"time":"`...), event.FormatTime(at)...), `"}`...)
}

// alertNumber finds which alert the body of a delivery is about.
func alertNumber(body []byte) (n int, ok bool) {
	_, rest, found := bytes.Cut(body, pidKey)
	if !found {
		return 0, false
	}
	rest = bytes.TrimLeft(rest[:min(len(rest), 24)], ` "`)
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	pid, err := strconv.Atoi(string(rest[:digits]))
	if err != nil || pid < firstPid {
		return 0, false
	}
	return pid - firstPid, true
}
