//! Spelling: a built-in list of words that are often misspelled, which always runs, and `typos` where it is installed.

use std::path::Path;
use std::process::Command;

use crate::files::{Finding, Prose, Tree};

/// Misspelled, and correct.
const LIST: &str = "accomodate accommodate,acheive achieve,adress address,agressive aggressive,alot much,apparantly apparently,\
appearence appearance,arguement argument,asyncronous asynchronous,availible available,basicly basically,becuase because,\
begining beginning,beleive believe,catagory category,collegue colleague,comming coming,commited committed,\
comparision comparison,compatability compatibility,completly completely,concious conscious,concurency concurrency,\
consistant consistent,convinient convenient,defered deferred,definately definitely,dependant dependent,descriptior descriptor,\
desparate desperate,determinstic deterministic,diffrent different,dissapear disappear,enviroment environment,\
existance existence,explicitely explicitly,familar familiar,finaly finally,foward forward,fucntion function,\
gaurantee guarantee,garantee guarantee,guarentee guarantee,happend happened,heirarchy hierarchy,idempotant idempotent,\
immediatly immediately,independant independent,infomation information,initalize initialize,intented intended,\
interupt interrupt,knowlege knowledge,lenght length,maintainance maintenance,managment management,mispell misspell,\
neccessary necessary,necesary necessary,noticable noticeable,occassion occasion,occured occurred,occurence occurrence,\
ommited omitted,paralell parallel,parrallel parallel,perfomance performance,permanant permanent,persistant persistent,\
posible possible,preceeding preceding,prefered preferred,priviledge privilege,proccess process,propogate propagate,\
publically publicly,reciept receipt,recieve receive,recomend recommend,refered referred,referer referrer,relevent relevant,\
repitition repetition,responce response,retreive retrieve,rythm rhythm,secratary secretary,seperate separate,\
sucess success,sucessful successful,succesful successful,supress suppress,suprise surprise,synchronise synchronize,\
threshhold threshold,thier their,transfered transferred,truely truly,unecessary unnecessary,untill until,\
usefull useful,wether whether,wich which,withdrawl withdrawal,writting writing";

/// Words of formats and protocols that look misspelled.
const CORRECT: [&str; 1] = ["referer"];

/// Reports misspelled words of the built-in list.
pub fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let words: Vec<(&str, &str)> = LIST
        .split(',')
        .filter_map(|pair| pair.trim().split_once(' '))
        .filter(|(wrong, _)| !CORRECT.contains(wrong))
        .collect();
    let mut found = Vec::new();
    for path in tree.written().filter(|path| !path.starts_with("xtask/") && !path.contains("/tests/")) {
        let Some(text) = tree.text(path)? else { continue };
        let prose = Prose::of(&text);
        let mut at = 0;
        for word in prose.text.split(|character: char| !character.is_alphabetic()) {
            let lower = word.to_lowercase();
            if let Some((wrong, right)) = words.iter().find(|(wrong, _)| *wrong == lower) {
                found.push(Finding {
                    path: path.to_owned(),
                    line: prose.line(at),
                    message: format!("`{wrong}`: write `{right}`"),
                });
            }
            // The separator is one character, of one to four bytes.
            at += word.len() + prose.text[at + word.len()..].chars().next().map_or(0, char::len_utf8);
        }
    }
    Ok(found)
}

/// Runs `typos` with `typos.toml`. `true`: it found nothing, or it is not installed, which is said.
pub fn typos(root: &Path) -> Result<bool, String> {
    let installed =
        Command::new("typos").arg("--version").output().is_ok_and(|output| output.status.success());
    if !installed {
        crate::print(
            "typos is not installed; only the built-in list was checked (`python3 -m pip install typos`)\n",
        );
        return Ok(true);
    }
    crate::run(Command::new("typos").args(["--format", "brief"]).current_dir(root))
}
