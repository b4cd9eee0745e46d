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

/// The way of a service account: a PKCS#8 key in PEM, RS256, and another library that verifies.
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

/// What two sides share, and what only the owner of a key reads, is the same for another library.
#[test]
fn agreement_and_encryption_that_openssl_shares() {
    let fixture = Fixture::new();
    let mut done = Vec::new();
    for (curve, owner) in [("P-256", "a256"), ("P-256", "b256"), ("P-384", "a384"), ("P-384", "b384")] {
        let (key, public, curve) =
            (format!("{owner}.pem"), format!("{owner}.pub"), format!("ec_paramgen_curve:{curve}"));
        done.push(openssl(&fixture, &["genpkey", "-algorithm", "EC", "-pkeyopt", &curve, "-out", &key]));
        done.push(openssl(&fixture, &["pkey", "-in", &key, "-pubout", "-out", &public]));
    }
    for size in ["256", "384"] {
        let (own, other, out) = (format!("a{size}.pem"), format!("b{size}.pub"), format!("secret{size}"));
        done.push(openssl(
            &fixture,
            &["pkeyutl", "-derive", "-inkey", &own, "-peerkey", &other, "-out", &out],
        ));
    }
    const OAEP: [&str; 6] = [
        "-pkeyopt",
        "rsa_padding_mode:oaep",
        "-pkeyopt",
        "rsa_oaep_md:sha256",
        "-pkeyopt",
        "rsa_oaep_label:6c6162656c",
    ];
    std::fs::write(fixture.path("text"), "for you alone").unwrap();
    done.push(openssl(&fixture, &["genrsa", "-out", "rsa.pem", "2048"]));
    done.push(openssl(&fixture, &["rsa", "-in", "rsa.pem", "-pubout", "-out", "rsa.pub"]));
    let encrypt = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "rsa.pub", "-in", "text", "-out", "theirs"];
    done.push(openssl(&fixture, &[&encrypt[..], &OAEP].concat()));
    assert!(done.iter().all(|done| *done), "{done:?}");
    let runtime = fixture.load(
        "const s = crypto.subtle; const t = (text) => new TextEncoder().encode(text);
         const der = (file) => Uint8Array.from(atob(Deno.readTextFileSync(file).replace(/-----.*-----|\\s/g, '')), (c) => c.charCodeAt(0));
         const refused = async (work) => { try { await work(); return 'fine'; } catch (error) { return error.name; } };
         export const run = async () => {
            const seen = {};
            for (const size of [256, 384]) {
                const how = { name: 'ECDH', namedCurve: `P-${size}` };
                const own = await s.importKey('pkcs8', der(`a${size}.pem`), how, false, ['deriveBits', 'deriveKey']);
                const other = await s.importKey('spki', der(`b${size}.pub`), how, true, []);
                const raw = await s.importKey('raw', await s.exportKey('raw', other), how, true, []);
                const secret = new Uint8Array(await s.deriveBits({ name: 'ECDH', public: other }, own, null));
                const part = new Uint8Array(await s.deriveBits({ name: 'ECDH', public: raw }, own, 68));
                const key = await s.deriveKey({ name: 'ECDH', public: other }, own, { name: 'AES-GCM', length: 256 }, true, ['encrypt']);
                const into = await s.deriveKey({ name: 'ECDH', public: other }, own, 'HKDF', false, ['deriveBits']);
                seen[size] = [
                    secret.toHex() === Deno.readFileSync(`secret${size}`).toHex(),
                    part.toHex() === secret.toHex().slice(0, 17) + '0',
                    new Uint8Array(await s.exportKey('raw', key)).toHex() === secret.toHex().slice(0, 64), into.type,
                    await refused(() => s.deriveBits({ name: 'ECDH', public: other }, own, size + 8)),
                    await refused(() => s.deriveBits({ name: 'ECDH', public: own }, own, size)),
                    await refused(() => s.importKey('raw', new Uint8Array(65).fill(4), how, true, [])),
                ];
            }
            const mixed = await s.importKey('spki', der('b384.pub'), { name: 'ECDH', namedCurve: 'P-384' }, true, []);
            const made = await s.generateKey({ name: 'ECDH', namedCurve: 'P-256' }, true, ['deriveBits']);
            seen.mixed = [await refused(() => s.deriveBits({ name: 'ECDH', public: mixed }, made.privateKey, 256)), made.publicKey.usages];
            const rsa = { name: 'RSA-OAEP', hash: 'SHA-256' }; const label = t('label');
            const own = await s.importKey('pkcs8', der('rsa.pem'), rsa, false, ['decrypt', 'unwrapKey']);
            const open = await s.importKey('spki', der('rsa.pub'), rsa, true, ['encrypt', 'wrapKey']);
            const read = async (bytes, label) => new TextDecoder().decode(await s.decrypt({ name: 'RSA-OAEP', label }, own, bytes));
            const ours = await s.encrypt({ name: 'RSA-OAEP', label }, open, t('for you alone')); Deno.writeFileSync('ours', new Uint8Array(ours));
            seen.oaep = [
                await read(Deno.readFileSync('theirs'), label), await read(ours, label),
                await refused(() => read(ours)), await refused(() => s.encrypt({ name: 'RSA-OAEP' }, open, new Uint8Array(191))),
                await refused(() => s.encrypt({ name: 'RSA-OAEP' }, own, t('x'))), (await s.exportKey('jwk', open)).alg,
                await refused(() => s.importKey('spki', der('rsa.pub'), rsa, true, ['decrypt'])),
            ];
            const key = await s.generateKey({ name: 'AES-GCM', length: 128 }, true, ['encrypt', 'decrypt', 'wrapKey', 'unwrapKey']);
            const pair = await s.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
            seen.wrap = [];
            for (const [format, held, by, back, how, as, uses] of [
                ['raw', key, open, own, { name: 'RSA-OAEP' }, 'AES-GCM', ['encrypt']],
                ['jwk', key, key, key, { name: 'AES-GCM', iv: new Uint8Array(12), tagLength: 96 }, 'AES-GCM', ['encrypt']],
                ['pkcs8', pair.privateKey, key, key, { name: 'AES-GCM', iv: new Uint8Array(12) }, { name: 'ECDSA', namedCurve: 'P-256' }, ['sign']],
            ]) {
                const wrapped = await s.wrapKey(format, held, by, how);
                const again = await s.unwrapKey(format, wrapped, back, how, as, true, uses);
                seen.wrap.push(JSON.stringify((await s.exportKey('jwk', again)).d ?? (await s.exportKey('jwk', again)).k) === JSON.stringify((await s.exportKey('jwk', held)).d ?? (await s.exportKey('jwk', held)).k));
            }
            const sealed = await s.generateKey({ name: 'AES-GCM', length: 128 }, false, ['encrypt']);
            seen.sealed = await refused(() => s.wrapKey('raw', sealed, key, { name: 'AES-GCM', iv: new Uint8Array(12) }));
            return seen;
         };",
    );
    let ecdh = json!([true, true, true, "secret", "OperationError", "InvalidAccessError", "DataError"]);
    assert_eq!(
        call(&runtime, "run", json!({})).unwrap(),
        json!({
            "256": ecdh, "384": ecdh, "mixed": ["InvalidAccessError", []],
            "oaep": [
                "for you alone", "for you alone", "OperationError", "OperationError", "InvalidAccessError",
                "RSA-OAEP-256", "SyntaxError",
            ],
            "wrap": [true, true, true], "sealed": "InvalidAccessError",
        })
    );
    let decrypt = ["pkeyutl", "-decrypt", "-inkey", "rsa.pem", "-in", "ours", "-out", "read"];
    assert!(openssl(&fixture, &[&decrypt[..], &OAEP].concat()));
    assert_eq!(std::fs::read(fixture.path("read")).unwrap(), b"for you alone");
    runtime.close();
}
