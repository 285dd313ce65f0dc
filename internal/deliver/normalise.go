package deliver

import "strings"

// varies stands for text that is another one each time.
const varies = '#'

// normalise replaces in a command line or a name what differs between two runs of the same: numbers
// (process IDs, descriptors, ports, times), UUIDs, hashes and container IDs, what mktemp and its like
// make up. An IP address stays, for another one is news, and so does code in base64 or hexadecimal, which
// is longer than what only names something. The length of what is replaced is not kept.
//
// It is no parser: text that looks like one of these is taken for it, which at worst puts two attacks
// of the same technique, place and parents into one group, whose summary counts both.
func normalise(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	token := 0   // where the argument that i is in begins
	encoded := 0 // where the text ends that was looked at for code last
	for i := 0; i < len(s); {
		if !isAlnum(s[i]) {
			if strings.IndexByte(" \t\n\r\"'=", s[i]) >= 0 {
				token = i + 1
			}
			b.WriteByte(s[i])
			i++
			continue
		}
		if i >= encoded {
			length, code := codeAt(s[i:])
			encoded = i + length
			if code {
				b.WriteString(s[i:encoded])
				i = encoded
				continue
			}
		}
		end := i + 1
		for end < len(s) && isAlnum(s[end]) {
			end++
		}
		switch word := s[i:end]; {
		case uuidAt(s[i:]):
			end = i + uuidLength
			b.WriteByte(varies)
		case !versionBefore(s[:i]) && addressAt(s[i:]) > 0:
			end = i + addressAt(s[i:])
			b.WriteString(s[i:end])
		case isHex(word), isJumble(word), isTemporary(s[token:i], word):
			b.WriteByte(varies)
		default:
			writeWithoutDigits(&b, word)
		}
		i = end
	}
	return b.String()
}

// longestToken is how long a token, a key or a hash can be. SHA-512 in hexadecimal is.
const longestToken = 128

// codeAt returns how much of s, from its beginning, could be one text in base64, and whether it is code:
// more of it looks like that than names anything. A path between has words in it.
func codeAt(s string) (length int, code bool) {
	jumbled, begin := 0, 0
	for ; ; length++ {
		if length < len(s) && isAlnum(s[length]) {
			continue
		}
		if word := s[begin:length]; isJumble(word) || isHex(word) && len(word) > longestToken {
			jumbled += len(word)
		}
		if begin = length + 1; length == len(s) || s[length] != '+' && s[length] != '/' && s[length] != '=' {
			return length, jumbled > longestToken
		}
	}
}

func writeWithoutDigits(b *strings.Builder, word string) {
	for j := range len(word) {
		switch {
		case !isDigit(word[j]):
			b.WriteByte(word[j])
		case j == 0 || !isDigit(word[j-1]):
			b.WriteByte(varies)
		}
	}
}

const uuidLength = 36

// uuidAt reports whether s begins with a UUID that ends there.
func uuidAt(s string) bool {
	if len(s) < uuidLength || len(s) > uuidLength && isAlnum(s[uuidLength]) {
		return false
	}
	for i := range uuidLength {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHexDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

// versionBefore reports whether s ends in the middle of dotted numbers.
func versionBefore(s string) bool {
	return len(s) > 1 && s[len(s)-1] == '.' && isAlnum(s[len(s)-2])
}

// addressAt returns the length of the IPv4 address that s begins with, 0 if it does not.
func addressAt(s string) int {
	at := 0
	for part := range 4 {
		digits := 0
		for at+digits < len(s) && isDigit(s[at+digits]) {
			digits++
		}
		if digits == 0 || digits > 3 {
			return 0
		}
		if at += digits; part < 3 {
			if at >= len(s) || s[at] != '.' {
				return 0
			}
			at++
		}
	}
	if at < len(s) && (isAlnum(s[at]) || s[at] == '.' && at+1 < len(s) && isDigit(s[at+1])) {
		return 0
	}
	return at
}

// isHex reports whether word looks like a hash, an address in memory or a container's ID.
func isHex(word string) bool {
	digits, from := 0, 0
	if strings.HasPrefix(word, "0x") {
		from = 2
	}
	for i := from; i < len(word); i++ {
		if !isHexDigit(word[i]) {
			return false
		}
		if isDigit(word[i]) {
			digits++
		}
	}
	return len(word) > from && digits > 0 && (from > 0 || len(word) >= 8)
}

// isJumble reports whether word is a long run of capitals, small letters and digits: a token, a key.
func isJumble(word string) bool {
	const least = 16
	upper, lower, digit := kinds(word)
	return len(word) >= least && upper && lower && digit
}

// isTemporary reports whether word, with that path before it, is a name that a program made up for a
// temporary file.
func isTemporary(path, word string) bool {
	const least = 6
	upper, lower, digit := kinds(word)
	mixed := digit && (upper || lower) || upper && lower
	if len(word) < least || !mixed {
		return false
	}
	for _, dir := range [...]string{"/tmp/", "/var/tmp/", "/dev/shm/"} {
		if strings.HasPrefix(path, dir) {
			return true
		}
	}
	return strings.HasSuffix(path, "tmp.") || strings.HasSuffix(path, "tmp-") || strings.HasSuffix(path, "tmp_")
}

func kinds(word string) (upper, lower, digit bool) {
	for i := range len(word) {
		switch c := word[i]; {
		case isDigit(c):
			digit = true
		case c >= 'A' && c <= 'Z':
			upper = true
		default:
			lower = true
		}
	}
	return upper, lower, digit
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHexDigit(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

func isAlnum(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// bounded returns a copy of at most n bytes: a part would keep all of the alert that it came from in
// memory.
func bounded(s string, n int) string {
	return strings.Clone(s[:min(len(s), n)])
}
