// A certificate for this machine, signed with its own key (RFC 5280 §4.1), for servers of tests.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

/** Encodes a value with its tag and length. */
function der(tag, ...parts) {
  const body = Buffer.concat(parts);
  const { length } = body;
  const octets = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...octets]), body]);
}

const sequence = (...parts) => der(0x30, ...parts);
const hex = (text) => Buffer.from(text, 'hex');
const time = (date) => der(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));

const ecdsaWithSHA256 = sequence(hex('06082a8648ce3d040302'));
const name = sequence(der(0x31, sequence(hex('0603550403'), der(0x0c, Buffer.from('localhost')))));
const subjectAltName = sequence(hex('0603551d11'), der(0x04, sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.from([127, 0, 0, 1])))));
const basicConstraints = sequence(hex('0603551d13'), hex('0101ff'), der(0x04, sequence(hex('0101ff')))); // critical, and of an authority

/** Returns a key and a certificate in PEM, for localhost and 127.0.0.1. */
export function localCertificate() {
  const { publicKey, privateKey: key } = generateKeyPairSync('ec', {
    namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'der' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const now = Date.now();
  const hour = 3_600_000;
  const certificate = sequence(
    der(0xa0, hex('020102')), // version 3
    der(0x02, Buffer.from([1]), randomBytes(8)), ecdsaWithSHA256, name,
    sequence(time(new Date(now - hour)), time(new Date(now + 24 * hour))), name, publicKey,
    der(0xa3, sequence(basicConstraints, subjectAltName)),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', certificate, key));
  const text = sequence(certificate, ecdsaWithSHA256, signature).toString('base64').match(/.{1,64}/g).join('\n');
  return { key, cert: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n` };
}
