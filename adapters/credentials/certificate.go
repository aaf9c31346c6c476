package credentials

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/clientele-oauth/clientele/domain"
)

// maxCertificateBytes bounds the text of a certificate, which may be percent-encoded and be
// followed by its chain.
const maxCertificateBytes = 32 << 10

// ReadCertificate implements [application.CredentialReader].
func (Reader) ReadCertificate(text string) (c domain.ClientCertificate, ok bool) {
	if len(text) > maxCertificateBytes {
		return domain.ClientCertificate{}, false
	}
	der, ok := decode(text)
	if !ok {
		return domain.ClientCertificate{}, false
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return domain.ClientCertificate{}, false
	}
	c = domain.ClientCertificate{SHA256: sha256.Sum256(der), NotBefore: parsed.NotBefore, NotAfter: parsed.NotAfter}
	if c.Subject, ok = readName(parsed.RawSubject); !ok {
		return domain.ClientCertificate{}, false
	}
	for _, extension := range parsed.Extensions {
		if extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) && !readAlternativeNames(extension.Value, &c) {
			return domain.ClientCertificate{}, false
		}
	}
	return c, true
}

// decode returns the DER encoding of the first certificate: from the structured field of
// RFC 9440 (:base64:), or from PEM, which nginx ($ssl_client_escaped_cert) and Envoy
// percent-encode.
func decode(text string) (der []byte, ok bool) {
	text = strings.TrimSpace(text)
	if encoded, isField := strings.CutPrefix(text, ":"); isField {
		encoded, closed := strings.CutSuffix(encoded, ":")
		der, err := base64.StdEncoding.Strict().DecodeString(encoded)
		return der, closed && err == nil
	}
	if strings.Contains(text, "%") {
		unescaped, err := url.PathUnescape(text) // a plus sign stands for itself
		if err != nil {
			return nil, false
		}
		text = unescaped
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, false
	}
	return block.Bytes, true
}

// relativeNameSET is a RelativeDistinguishedName (RFC 5280 §4.1.2.4). The name of the type
// tells encoding/asn1 that it is a SET.
type relativeNameSET []struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// readName reads a Name.
func readName(der []byte) ([]domain.RelativeName, bool) {
	var sequence []relativeNameSET
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 {
		return nil, false
	}
	names := make([]domain.RelativeName, len(sequence))
	for i, set := range sequence {
		for _, attribute := range set {
			names[i] = append(names[i], domain.NameAttribute{
				Type: attribute.Type.String(), Text: textOf(attribute.Value), DER: string(attribute.Value.FullBytes),
			})
		}
	}
	return names, true
}

// textOf returns the value of a DirectoryString or IA5String; empty if it is of another
// type, or not well-formed. crypto/x509 has rejected UniversalString.
func textOf(value asn1.RawValue) string {
	if value.Class != asn1.ClassUniversal || value.IsCompound {
		return ""
	}
	switch value.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString:
		if utf8.Valid(value.Bytes) {
			return string(value.Bytes)
		}
	case asn1.TagT61String: // in practice ISO 8859-1
		runes := make([]rune, len(value.Bytes))
		for i, b := range value.Bytes {
			runes[i] = rune(b)
		}
		return string(runes)
	case asn1.TagBMPString:
		if len(value.Bytes)%2 == 0 {
			units := make([]uint16, len(value.Bytes)/2)
			for i := range units {
				units[i] = uint16(value.Bytes[2*i])<<8 | uint16(value.Bytes[2*i+1])
			}
			return string(utf16.Decode(units))
		}
	}
	return ""
}

// The tags of a GeneralName (RFC 5280 §4.2.1.6) that are read.
const (
	tagEmail = 1
	tagDNS   = 2
	tagURI   = 6
	tagIP    = 7
)

// readAlternativeNames reads a subjectAltName. Package crypto/x509 parses URIs, and would
// not return them as they are in the certificate.
func readAlternativeNames(der []byte, c *domain.ClientCertificate) bool {
	var names []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &names); err != nil || len(rest) > 0 {
		return false
	}
	for _, name := range names {
		if name.Class != asn1.ClassContextSpecific {
			return false
		}
		text := string(name.Bytes)
		switch name.Tag {
		case tagEmail, tagDNS, tagURI:
			if !isASCII(text) { // IA5String
				return false
			}
		}
		switch name.Tag {
		case tagEmail:
			c.SANEmail = append(c.SANEmail, text)
		case tagDNS:
			c.SANDNS = append(c.SANDNS, text)
		case tagURI:
			c.SANURI = append(c.SANURI, text)
		case tagIP:
			if ip, ok := netip.AddrFromSlice(name.Bytes); ok {
				c.SANIP = append(c.SANIP, ip)
			}
		}
	}
	return true
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}
