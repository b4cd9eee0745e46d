//! What the index reads off the syntax is what the code says when it runs, for every kind and every way to write it.

use marsh_types::{Kind, TypeName};

use crate::kinds_serving::{ANY, hosts, serving};
use crate::support::repo;

const METHOD: &str = "{ description: 'd', kind: 'read', arguments: any, execute: async () => {} }";

fn sources() -> Vec<(&'static str, String)> {
    let identity = |name: &str| format!("type: '@me/{name}', name: 'N', description: 'd'");
    vec![
        (
            "models/plain.ts",
            format!("export const model = {{ type: '@me/plain', version: '2026.01.01.1', methods: {{ a: {METHOD}, 'b-c': {METHOD} }} }};"),
        ),
        (
            "models/named.ts",
            format!(
                "const TYPE = `@me/named`; const VERSION = '2026.01.02.1'; const methods = {{ only: {METHOD} }};\n\
                 const it = {{ type: TYPE, version: VERSION, methods }} as const;\nexport {{ it as model }};"
            ),
        ),
        (
            "models/spelled.ts",
            format!("export const model: any = ({{ type: 'Me::Spelled', version: '2026.01.01.1', methods: {{ a: {METHOD} }} }}) satisfies object;"),
        ),
        (
            "models/twice.ts",
            format!("export const model = {{ type: '@me/first', type: '@me/twice', version: '2026.01.01.1', methods: {{ a: {METHOD}, a: {METHOD} }} }};"),
        ),
        (
            "models/computed.ts",
            format!(
                "const make = (name: string) => ({{ type: `@me/${{name}}`, version: '2026.01.01.1', methods: {{ a: {METHOD} }} }});\n\
                 export const model = make('computed');"
            ),
        ),
        (
            "models/spread.ts",
            format!("const more = {{ b: {METHOD} }};\nexport const model = {{ type: '@me/spread', version: '2026.01.01.1', methods: {{ a: {METHOD}, ...more }} }};"),
        ),
        (
            "models/graft.ts",
            format!("export const extension = {{ type: '@me/plain', methods: [{{ more: {METHOD} }}, {{ most: {METHOD} }}] }};"),
        ),
        ("vaults/v.ts", format!("export const vault = {{ {}, createProvider: () => ({{}}) }};", identity("v"))),
        ("datastores/d.ts", format!("export const datastore = {{ {}, createProvider: () => ({{}}) }};", identity("d"))),
        ("drivers/e.ts", format!("export const driver = {{ {}, createDriver: () => ({{}}) }};", identity("e"))),
        (
            "reports/r.ts",
            "const NAME = '@me/r'; export const report = { name: NAME, description: 'd', scope: 'model', execute: async () => {} };".to_owned(),
        ),
    ]
}

#[test]
fn the_index_and_the_host_say_the_same() {
    let repo = repo();
    for (file, source) in sources() {
        repo.write(&format!("extensions/{file}"), format!("{ANY}{source}\n"));
    }
    let loader = serving(&repo, &hosts(&repo));
    let catalog = loader.catalog().unwrap();
    assert!(catalog.problems.is_empty(), "{:?}", catalog.problems);
    // Only the type that a call makes is left to the host.
    assert_eq!(catalog.computed.len(), 1);
    assert_eq!(catalog.types.len(), sources().len() - 1);
    for indexed in &catalog.types {
        match indexed.kind {
            Kind::Model => {
                let loaded = loader.resolve(&indexed.type_name).unwrap();
                let description = &loaded.description;
                assert_eq!(description.raw_type, indexed.raw);
                assert_eq!(Some(&description.version), indexed.version.as_ref());
                let own = description.methods.iter().filter(|(_, method)| method.method_extension.is_none());
                let own: Vec<String> = own.map(|(name, _)| name.clone()).collect();
                // A spread leaves the names to the host.
                if let Some(methods) = &indexed.methods {
                    assert_eq!(&own, methods, "{}", indexed.raw);
                }
            }
            Kind::Extension => {
                let loaded = loader.resolve(&indexed.type_name).unwrap();
                let added =
                    loaded.description.methods.iter().filter(|(_, method)| method.method_extension.is_some());
                let added: Vec<String> = added.map(|(name, _)| name.clone()).collect();
                assert_eq!(Some(added), indexed.methods);
            }
            kind => {
                let loaded = loader.resolve_kind(kind, &indexed.type_name).unwrap();
                assert_eq!((loaded.description.kind, &loaded.description.raw_type), (kind, &indexed.raw));
            }
        }
    }
    // What is computed is found as well.
    let computed = loader.resolve(&TypeName::parse("@me/computed").unwrap()).unwrap();
    assert_eq!(computed.description.raw_type, "@me/computed");
}
