//! Web Crypto and node:crypto, checked against each other, against openssl, and against published vectors.

use std::process::Command;

use crate::common::{Fixture, call, run, run_body};
use serde_json::{Value, json};

fn with(imports: &str, body: &str) -> Value {
    match run(&format!("{imports}\nexport async function run(params) {{ {body} }}")) {
        Ok(value) => value,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn known_answers() {
    let value = with(
        "import c from 'node:crypto';",
        "const t = (s) => new TextEncoder().encode(s); const seen = []; const s = crypto.subtle;
         const h = await s.importKey('raw', t('Jefe'), { name: 'HMAC', hash: 'SHA-256' }, true, ['sign', 'verify']);
         const mac = await s.sign('HMAC', h, t('what do ya want for nothing?')); seen.push(new Uint8Array(mac).toHex(), await s.verify('HMAC', h, mac, t('what do ya want for nothing?')), await s.verify('HMAC', h, mac, t('else')));
         seen.push(c.createHmac('sha256', 'Jefe').update('what do ya ').update('want for nothing?').digest('hex') === new Uint8Array(mac).toHex(), (await s.exportKey('jwk', h)).k);
         seen.push(c.pbkdf2Sync('password', 'salt', 2, 20, 'sha1').toString('hex'), c.scryptSync('password', 'NaCl', 64, { N: 1024, r: 8, p: 16 }).toString('hex').slice(0, 32));
         const p = await s.importKey('raw', t('password'), 'PBKDF2', false, ['deriveBits']); seen.push(new Uint8Array(await s.deriveBits({ name: 'PBKDF2', salt: t('salt'), iterations: 2, hash: 'SHA-1' }, p, 160)).toHex());
         const k = await s.importKey('raw', new Uint8Array(22).fill(11), 'HKDF', false, ['deriveBits', 'deriveKey']);
         seen.push(new Uint8Array(await s.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: Uint8Array.fromHex('000102030405060708090a0b0c'), info: Uint8Array.fromHex('f0f1f2f3f4f5f6f7f8f9') }, k, 336)).toHex().slice(0, 32));
         seen.push(c.createHash('md5').update('abc').digest('hex'));
         const g = c.createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12)); seen.push(g.update(Buffer.alloc(16)).toString('hex') + g.final('hex'), g.getAuthTag().toString('hex'));
         return seen;",
    );
    assert_eq!(
        value,
        json!([
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            true,
            false,
            true,
            "SmVmZQ",
            "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957",
            "fdbabe1c9d3472007856e7190d01e9fe",
            "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957",
            "3cb25f25faacd57a90434f64d0362f2a",
            "900150983cd24fb0d6963f7d28e17f72",
            "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919"
        ])
    );
}

#[test]
fn every_algorithm_round_trips() {
    let value = run_body(
        "const s = crypto.subtle; const data = new TextEncoder().encode('the data'); const seen = [];
         for (const [alg, use, formats] of [
            [{ name: 'RSASSA-PKCS1-v1_5', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-256' }, {}, ['spki', 'jwk']],
            [{ name: 'RSA-PSS', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]), hash: 'SHA-384' }, { saltLength: 48 }, ['spki', 'jwk']],
            [{ name: 'ECDSA', namedCurve: 'P-256' }, { hash: 'SHA-256' }, ['spki', 'jwk', 'raw']],
            [{ name: 'ECDSA', namedCurve: 'P-384' }, { hash: { name: 'SHA-384' } }, ['spki', 'jwk', 'raw']],
            [{ name: 'Ed25519' }, {}, ['spki', 'jwk', 'raw']],
         ]) {
            const { publicKey, privateKey } = await s.generateKey(alg, true, ['sign', 'verify']);
            const how = { name: alg.name, ...use };
            let good = publicKey.usages[0] === 'verify' && privateKey.usages.length === 1;
            for (const format of ['pkcs8', 'jwk']) {
                const again = await s.importKey(format, await s.exportKey(format, privateKey), alg, true, ['sign']);
                const signature = await s.sign(how, again, data);
                for (const format of formats) {
                    const key = await s.importKey(format, await s.exportKey(format, publicKey), alg, true, ['verify']);
                    good &&= await s.verify(how, key, signature, data) && !(await s.verify(how, key, signature, new Uint8Array(3)));
                }
            }
            seen.push(good);
         }
         for (const [alg, use] of [['AES-GCM', { iv: new Uint8Array(12), additionalData: data }], ['AES-CBC', { iv: new Uint8Array(16) }], ['AES-CTR', { counter: new Uint8Array(16), length: 64 }]]) {
            for (const length of [128, 192, 256]) {
                const key = await s.generateKey({ name: alg, length }, true, ['encrypt', 'decrypt']); const how = { name: alg, ...use };
                const again = await s.importKey('jwk', await s.exportKey('jwk', key), alg, true, ['decrypt']);
                const cipher = await s.encrypt(how, key, data);
                seen.push(new TextDecoder().decode(await s.decrypt(how, again, cipher)) === 'the data');
                if (alg === 'AES-GCM' && length === 128) { new Uint8Array(cipher)[0] ^= 1; try { await s.decrypt(how, key, cipher) } catch (error) { seen.push(error.name) } }
            }
         }
         const sealed = await s.importKey('raw', new Uint8Array(16), 'AES-GCM', false, ['encrypt']);
         for (const wrong of [() => s.exportKey('raw', sealed), () => s.decrypt({ name: 'AES-GCM', iv: new Uint8Array(12) }, sealed, data), () => s.importKey('raw', new Uint8Array(5), 'AES-GCM', true, ['encrypt']), () => s.digest('MD5', data), () => s.importKey('pkcs8', data, { name: 'RSA-PSS', hash: 'SHA-1' }, true, ['sign'])]) {
            try { await wrong(); seen.push('fine') } catch (error) { seen.push(error.name) }
         }
         return seen.filter((x) => x !== true);",
    );
    assert_eq!(
        value,
        json!([
            "OperationError",
            "InvalidAccessError",
            "InvalidAccessError",
            "DataError",
            "NotSupportedError",
            "DataError"
        ])
    );
}

fn openssl(fixture: &Fixture, args: &[&str]) -> bool {
    Command::new("openssl")
        .args(args)
        .current_dir(fixture.dir.path())
        .output()
        .is_ok_and(|out| out.status.success())
}

/// The way of a service account: a PKCS#8 key in PEM, RS256, and somebody else who verifies.
#[test]
fn signatures_that_openssl_accepts() {
    let fixture = Fixture::new();
    if !openssl(&fixture, &["genrsa", "-out", "rsa.pem", "2048"]) {
        return;
    }
    assert!(openssl(&fixture, &["rsa", "-in", "rsa.pem", "-traditional", "-out", "pkcs1.pem"]));
    assert!(openssl(&fixture, &["rsa", "-in", "rsa.pem", "-pubout", "-out", "rsa.pub"]));
    assert!(openssl(&fixture, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ec.pem"]));
    assert!(openssl(&fixture, &["ec", "-in", "ec.pem", "-pubout", "-out", "ec.pub"]));
    std::fs::write(fixture.path("data"), "header.payload").unwrap();
    let runtime = fixture.load(
        "import { createSign, createVerify, createPrivateKey, createPublicKey, sign, verify, generateKeyPairSync, createDecipheriv, createCipheriv } from 'node:crypto';
         export const run = async () => {
            const pem = Deno.readTextFileSync('rsa.pem'); const data = Deno.readFileSync('data'); const seen = [];
            const der = Uint8Array.from(atob(pem.replace(/-----.*-----|\\s/g, '')), (c) => c.charCodeAt(0));
            const key = await crypto.subtle.importKey('pkcs8', der, { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }, false, ['sign']);
            const web = new Uint8Array(await crypto.subtle.sign('RSASSA-PKCS1-v1_5', key, data)); Deno.writeFileSync('web.sig', web);
            const node = createSign('RSA-SHA256').update('header.').update('payload').sign(pem); seen.push(node.equals(Buffer.from(web)));
            seen.push(createSign('sha256').update(data).sign(Deno.readTextFileSync('pkcs1.pem'), 'base64') === node.toString('base64'));
            seen.push(createVerify('RSA-SHA256').update(data).verify(Deno.readTextFileSync('rsa.pub'), node), createVerify('sha256').update('x').verify(createPublicKey(pem), node));
            Deno.writeFileSync('ec.sig', sign('sha256', data, Deno.readTextFileSync('ec.pem')));
            seen.push(verify('sha256', data, Deno.readTextFileSync('ec.pub'), Deno.readFileSync('ec.sig')), createPrivateKey(pem).asymmetricKeyDetails.modulusLength, createPublicKey(pem).export({ type: 'spki', format: 'pem' }) === Deno.readTextFileSync('rsa.pub'));
            const pair = generateKeyPairSync('ed25519'); seen.push(verify(null, data, pair.publicKey, sign(null, data, pair.privateKey)));
            const c = createCipheriv('aes-256-cbc', 'k'.repeat(32), 'i'.repeat(16)); const text = c.update('häll', 'utf8', 'hex') + c.final('hex');
            const d = createDecipheriv('aes-256-cbc', 'k'.repeat(32), 'i'.repeat(16)); seen.push(d.update(text, 'hex', 'utf8') + d.final('utf8'));
            return seen;
         };",
    );
    assert_eq!(
        call(&runtime, "run", json!({})).unwrap(),
        json!([true, true, true, false, true, 2048, true, true, "häll"])
    );
    for (public, signature) in [("rsa.pub", "web.sig"), ("ec.pub", "ec.sig")] {
        assert!(openssl(&fixture, &["dgst", "-sha256", "-verify", public, "-signature", signature, "data"]));
    }
    runtime.close();
}
