package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const lifetime = 10 * 365 * 24 * time.Hour

// writeCertificates puts into directory what a control plane needs to prove who it is:
//
//	ca.crt                          the cluster's certificate authority, to be trusted by clients
//	apiserver.crt, apiserver.key    what kube-apiserver serves with, valid for names (DNS names and IP addresses)
//	service-account.key             signs and verifies service account tokens
//
// The authority's own key is not kept: nothing else is ever to be signed by it.
func writeCertificates(directory string, names []string) error {
	authorityKey, err := newKey()
	if err != nil {
		return err
	}
	authority := template(1, "fireworks-operator test cluster")
	authority.IsCA = true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return err
	}
	// Parsed back: only then does it hold the subject key id that what it signs has to name.
	if authority, err = x509.ParseCertificate(authorityDER); err != nil {
		return err
	}

	servingKey, err := newKey()
	if err != nil {
		return err
	}
	serving := template(2, "kube-apiserver")
	serving.KeyUsage = x509.KeyUsageDigitalSignature
	serving.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			serving.IPAddresses = append(serving.IPAddresses, ip)
		} else {
			serving.DNSNames = append(serving.DNSNames, name)
		}
	}
	servingDER, err := x509.CreateCertificate(rand.Reader, serving, authority, servingKey.Public(), authorityKey)
	if err != nil {
		return err
	}

	accountKey, err := newKey()
	if err != nil {
		return err
	}
	if err := writePEM(filepath.Join(directory, "ca.crt"), "CERTIFICATE", authorityDER); err != nil {
		return err
	}
	if err := writePEM(filepath.Join(directory, "apiserver.crt"), "CERTIFICATE", servingDER); err != nil {
		return err
	}
	if err := writeKey(filepath.Join(directory, "apiserver.key"), servingKey); err != nil {
		return err
	}
	return writeKey(filepath.Join(directory, "service-account.key"), accountKey)
}

func newKey() (*ecdsa.PrivateKey, error) {
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber:          big.NewInt(serial),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour), // a clock that is set back must not make it invalid
		NotAfter:              time.Now().Add(lifetime),
		BasicConstraintsValid: true,
	}
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der)
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
