"""What the systems and measures of a report are, in words for a reader who has met none of them."""

from __future__ import annotations

from collections.abc import Iterator

from kommunbench.report.rows import Report
from kommunbench.report.tables import ELSEWHERE, Table
from kommunbench.report.wording import NOTHING, Language, arrow, pick, say

MEASURES: dict[str, tuple[str, str]] = {
    "abstention_brier": (
        "som abstention_ece, men straffar även den som aldrig är säker",
        "as abstention_ece, and whoever is never sure pays too",
    ),
    "abstention_ece": (
        "hur långt modellens säkerhet på att svara eller avstå är från hur ofta den valde rätt; 0 är bäst",
        "how far the model's confidence in answering or abstaining is from how often it chose rightly; 0 is best",
    ),
    "bertscore_f1": (
        "likhet med facit i en annan språkmodells ögon; ser omskrivningar men knappt en ändrad siffra",
        "likeness to the reference in another model's eyes; sees paraphrase, hardly a changed number",
    ),
    "bertscore_precision": ("hur mycket av svaret som liknar facit", "how much of the answer is like the reference"),
    "bertscore_recall": ("hur mycket av facit som svaret liknar", "how much of the reference the answer is like"),
    "bertscore_spread": (
        "hur mycket bertscore_f1 skiljer mellan svar",
        "how much bertscore_f1 differs between answers",
    ),
    "label_brier": (
        "som label_ece, men straffar även den som aldrig är säker",
        "as label_ece, and whoever is never sure pays too",
    ),
    "label_ece": (
        "hur långt modellens säkerhet på sin etikett är från hur ofta den har rätt; 0 är bäst",
        "how far the model's confidence in its label is from how often it is right; 0 is best",
    ),
    "nominal_ratio": (
        "substantiv, prepositioner och particip mot pronomen, adverb och verb: över 1 är tungt och sakligt",
        "nouns, prepositions, participles against pronouns, adverbs, verbs: above 1 is heavy with names of things",
    ),
    "abstention_f1": (
        "avstår när riktlinjen inte svarar, och bara då: precision och täckning i ett tal",
        "abstains where the guideline has no answer, and only there: precision and recall in one number",
    ),
    "abstention_precision": (
        "av gångerna som systemet avstod: hur ofta riktlinjen verkligen saknade svar",
        "of the times it abstained: how often the guideline had no answer indeed",
    ),
    "abstention_recall": (
        "av frågorna utan svar i riktlinjen: hur ofta systemet avstod",
        "of the questions that the guideline does not answer: how often it abstained",
    ),
    "accuracy": ("andel rätt valda etiketter", "share of labels chosen rightly"),
    "all_constraints_kept": ("andel svar som uppfyller alla krav", "share of answers that keep every constraint"),
    "bleu": (
        "gemensamma ordföljder med facit, mest använt för översättning",
        "runs of words shared with the reference, mostly used for translation",
    ),
    "chrf": (
        "gemensamma teckenföljder och ord med facit; böjningsformer räknas delvis",
        "characters and words in a row shared with the reference; inflected forms count in part",
    ),
    "citation_correct": (
        "andel svar som hänvisar till just de paragrafer som facit gör",
        "share of answers that cite the very paragraphs that the reference does",
    ),
    "citation_precision": ("av hänvisningarna: hur många som är rätt", "of the citations: how many are right"),
    "citation_recall": (
        "av paragraferna i facit: hur många som svaret hänvisar till",
        "of the reference's paragraphs: how many the answer cites",
    ),
    "compression": ("svarets längd delad med underlagets", "the answer's length over its source's"),
    "constraints_kept": ("andel uppfyllda krav", "share of constraints that are kept"),
    "copied_share": (
        "andel av svaret som är ordagrant ur underlaget",
        "share of the answer that is word for word from its source",
    ),
    "density": (
        "medellängden på det som är ordagrant ur underlaget",
        "mean length of what is word for word from the source",
    ),
    "exact_match": ("andel svar som är exakt som facit", "share of answers that are exactly the reference"),
    "fields_filled": ("andel av mallens fält som är rätt ifyllda", "share of the template's fields rightly filled in"),
    "invalid_labels": ("andel svar som inte är någon av etiketterna", "share of answers that are none of the labels"),
    "json_valid": ("andel svar som ett program kan läsa", "share of answers that a program can read"),
    "kept_dates": ("andel av underlagets datum som finns kvar", "share of the source's dates that are kept"),
    "kept_facts": ("andel av uppgifterna som måste med som är med", "share of required facts that are there"),
    "kept_names": ("andel av underlagets namn som finns kvar", "share of the source's names that are kept"),
    "kept_numbers": ("andel av underlagets tal som finns kvar", "share of the source's numbers that are kept"),
    "lix": (
        "läsbarhetsindex: under 40 lättläst, 40–50 medelsvår, över 60 mycket svår",
        "Swedish readability index: below 40 easy, 40–50 medium, above 60 very hard",
    ),
    "long_words": ("andel ord med fler än sex bokstäver", "share of words with more than six letters"),
    "macro_f1": (
        "träffsäkerhet där varje etikett väger lika, även ovanliga",
        "hits where every label weighs the same, rare ones too",
    ),
    "negation_agrees": (
        "andel svar som nekar när facit nekar, och bara då",
        "share of answers that negate where the reference does, and only there",
    ),
    "ovix": ("hur varierat ordförrådet är", "how varied the vocabulary is"),
    "placeholders_left": ("andel svar med ruta eller platshållare kvar", "share of answers with a placeholder left"),
    "plain_copies": ("andel svar som bara är underlaget avskrivet", "share of answers that only copy the source"),
    "repeated_3grams": ("andel ordföljder om tre som upprepas", "share of three-word runs that are repeated"),
    "rouge1": ("gemensamma ord med facit", "words shared with the reference"),
    "rouge2": ("gemensamma ordpar med facit", "pairs of words shared with the reference"),
    "rougeL": (
        "ord som svaret har gemensamma med facit i samma ordning, med luckor",
        "words shared with the reference in the same order, with gaps",
    ),
    "rule_violations": ("brott mot råd för lättläst", "breaches of advice for easy reading"),
    "rules_kept": ("andel svar som följer alla råd för lättläst", "share of answers that keep all advice"),
    "s_passive": ("andel ord i s-passiv (”beslutas”)", "share of words in the Swedish s-passive"),
    "sari": (
        "rätt struket, rätt behållet och rätt tillagt jämfört med underlag och facit",
        "rightly dropped, kept and added, against source and reference",
    ),
    "sections_in_order": ("andel svar med rubrikerna i mallens ordning", "share with the template's order of headings"),
    "sections_present": ("andel av mallens rubriker som finns med", "share of the template's headings that are there"),
    "sentence_length": ("ord per mening", "words a sentence"),
    "token_f1": ("gemensamma ord med facit, utan hänsyn till ordning", "words shared with the reference, in any order"),
    "unsupported_names": (
        "andel namn i svaret som inte finns i underlaget",
        "share of names that are not in the source",
    ),
    "unsupported_numbers": (
        "andel tal i svaret som inte finns i underlaget",
        "share of numbers in the answer that are not in the source",
    ),
    "word_length": ("bokstäver per ord", "letters a word"),
    "wrong_language": ("andel meningar på fel språk", "share of sentences in the wrong language"),
}
"""What each measure of kommunbench's own metrics says, in Swedish and English; opinions and costs have sections."""


def glossary_tables(report: Report, language: Language) -> Iterator[Table]:
    """Systems, then measures, as far as the report has them."""
    models = dict.fromkeys(row.model for row in report.rows)
    systems = tuple((name, pick(language, report.about[name])) for name in models if name in report.about)
    if systems:
        head = say(language, "System|Vad det är", "System|What it is").split("|")
        yield Table(say(language, "Systemen", "Systems"), tuple(head), systems, "ll")
    directions = {row.metric: row.direction for row in report.rows if not row.metric.startswith(ELSEWHERE)}
    measures = tuple((f"{name} {arrow(directions[name])}".strip(), _meaning(name, language)) for name in directions)
    if measures:
        head = say(language, "Mått|Vad det säger", "Measure|What it says").split("|")
        yield Table(say(language, "Måtten", "Measures"), tuple(head), measures, "ll")


def glossary_text(language: Language) -> str:
    """What the tables leave out: arrows, and what a reference is."""
    return say(
        language,
        "↑ högre är bättre, ↓ lägre är bättre, ingen pil: beskriver utan att värdera. **Facit** är det "
        "svar som uppgiften anger som gott; att likna det är inte detsamma som att vara rätt.",
        "↑ higher is better, ↓ lower is better, no arrow: describes and does not judge. The **reference** is the "
        "answer that the task holds to be good; to be like it is not the same as to be right.",
    )


def _meaning(name: str, language: Language) -> str:
    return say(language, *MEASURES[name]) if name in MEASURES else NOTHING
