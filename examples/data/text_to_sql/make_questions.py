"""Write questions.jsonl: questions in English, a table, and the SQL that answers.

    python make_questions.py > questions.jsonl

Made up here, with the columns of b-mc2/sql-create-context (question, context, answer), so that the
guide's steps can be followed without its data. The same seed gives the same file.
"""

from __future__ import annotations

import json
import random

SUBJECTS = """
actor airport album apartment artist author bakery band bank battery bicycle bird boat book bridge
building cafe camera canal captain castle chef church cinema city clinic coach company concert
country court cyclist dancer desert dinosaur district doctor drink driver editor election engine
farm festival film flight flower forest game garden glacier guitar harbor hospital hotel island
judge kitchen lake lawyer library lighthouse magazine mayor mine mountain museum novel nurse opera
orchestra painting palace park parrot pilot planet player poem poet port prison recipe restaurant
river road robot rocket sailor satellite school sculpture ship singer song stadium station statue
storm student surgeon swimmer teacher team temple theater tower town tractor train tree tunnel
university valley vessel village vineyard violin volcano wine writer zoo
"""

TEXT = {
    "name": ["Aurora", "Delta", "Juniper", "Mistral", "Orchid", "Sable", "Tundra", "Willow"],
    "country": ["Brazil", "Canada", "France", "Ghana", "Japan", "Kenya", "Norway", "Peru"],
    "color": ["amber", "black", "blue", "green", "ivory", "red", "silver", "white"],
    "status": ["active", "closed", "planned", "repaired", "retired", "rented"],
    "owner": ["Adler", "Brand", "Costa", "Diaz", "Evans", "Fischer", "Grant", "Haas"],
    "type": ["classic", "compact", "electric", "heavy", "modern", "rural"],
}
NUMBER = {
    "year": (1900, 2024),
    "price": (5, 900),
    "age": (18, 95),
    "weight": (2, 800),
    "height": (3, 400),
    "points": (1, 99),
    "capacity": (10, 5000),
    "rank": (1, 50),
}


def ask(draw: random.Random, table: str, text: str, other: str, number: str) -> list[list[str]]:
    """Return one question and answer for each kind of query."""
    word = draw.choice(TEXT[text])
    amount = draw.randint(*NUMBER[number])
    wanted = f'SELECT {other} FROM {table} WHERE {text} = "{word}"'
    return [
        [f"What is the {other} of the {table} with {text} {word}?", wanted],
        [f"Which {other} belongs to the {table} whose {text} is {word}?", wanted],
        [
            f"How many {table} rows have a {number} above {amount}?",
            f"SELECT COUNT(*) FROM {table} WHERE {number} > {amount}",
        ],
        [
            f"Count the {table} entries with {text} {word}.",
            f'SELECT COUNT(*) FROM {table} WHERE {text} = "{word}"',
        ],
        [f"What is the highest {number} of any {table}?", f"SELECT MAX({number}) FROM {table}"],
        [f"What is the average {number} by {text}?",
         f"SELECT {text}, AVG({number}) FROM {table} GROUP BY {text}"],
        [f"List each {other}, ordered by {number}.",
         f"SELECT {other} FROM {table} ORDER BY {number}"],
    ]  # fmt: skip


def main() -> None:
    """Write the rows to standard output."""
    draw = random.Random(20240210)
    for table in SUBJECTS.split():
        text, other = draw.sample(sorted(TEXT), 2)
        number = draw.choice(sorted(NUMBER))
        columns = [f"{text} VARCHAR", f"{other} VARCHAR", f"{number} INTEGER"]
        draw.shuffle(columns)
        context = f"CREATE TABLE {table} ({', '.join(columns)})"
        for question, answer in draw.sample(ask(draw, table, text, other, number), 3):
            print(json.dumps({"question": question, "context": context, "answer": answer}))


if __name__ == "__main__":
    main()
