"""Write train.csv, validation.csv and test.csv: recipes and the generic names of what is in them.

    python make_recipes.py FOLDER

Made up here, in the shape of the data that the OpenAI cookbook's guide "How to fine-tune chat
models" uses: a title, ingredients as one reads them, directions, and the generic ingredients, the
lists as JSON. The same seed gives the same files.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from pathlib import Path

ROWS = {"train": 101, "validation": 100, "test": 10}

# Dish -> what is always in it. A line is "how much|generic name|what was done to it".
DISHES = {
    "Soup": "1 l|vegetable stock|; 1|onion|diced; 1 tsp.|salt|",
    "Salad": "2 Tbsp.|olive oil|; 1|lemon|juiced; 1 pinch|salt|",
    "Stew": "2 Tbsp.|flour|; 500 ml|beef stock|hot; 2|bay leaves|",
    "Casserole": "1 c.|cream|; 100 g|bread crumbs|dry; 2 Tbsp.|butter|melted",
    "Pie": "1 sheet|pie crust|thawed; 2|eggs|beaten; 1/2 c.|milk|",
    "Curry": "400 ml|coconut milk|; 2 tsp.|curry powder|mild; 1 c.|rice|cooked",
    "Omelet": "4|eggs|beaten; 1 Tbsp.|butter|; 2 Tbsp.|milk|",
    "Pasta": "400 g|spaghetti|; 2 cloves|garlic|crushed; 50 g|parmesan|grated",
    "Gratin": "250 ml|cream|; 1 pinch|nutmeg|; 120 g|cheese|grated",
    "Fritters": "3/4 c.|flour|sifted; 1|egg|; 250 ml|vegetable oil|for frying",
    "Dip": "200 g|cream cheese|softened; 100 g|yogurt|plain; 1 clove|garlic|minced",
    "Pancakes": "1 1/2 c.|flour|; 300 ml|milk|; 2|eggs|separated",
}
MAINS = """
1 kg|potatoes|peeled; 3|carrots|sliced; 1 head|cauliflower|in florets; 250 g|mushrooms|quartered;
2|leeks|washed; 500 g|pumpkin|cubed; 1 bunch|spinach|chopped; 4|tomatoes|ripe; 300 g|lentils|soaked;
1 can|chickpeas|drained; 2 ears|corn|cut from the cob; 450 g|chicken|boneless; 350 g|turkey|ground;
200 g|bacon|in strips; 1 fillet|salmon|skinned; 250 g|shrimp|shelled; 1|zucchini|coarsely grated;
3|beets|boiled; 2|apples|cored; 1/2 head|cabbage|shredded; 300 g|green beans|trimmed
"""
EXTRAS = """
1 tsp.|paprika|smoked; 1/2 tsp.|pepper|freshly ground; 1 bunch|parsley|finely chopped;
2 sprigs|thyme|fresh; 1 Tbsp.|mustard|; 1 Tbsp.|honey|; 2 Tbsp.|vinegar|; 2 stalks|celery|sliced;
1|red pepper|seeded; 1 tsp.|cumin|; 3|shallots|halved; 1 handful|walnuts|chopped;
1 small piece|ginger|grated; 1|chili|without seeds; 2 Tbsp.|soy sauce|; 1 bunch|dill|chopped
"""
STEPS = [
    "Heat the oven to {degrees} degrees.",
    "Mix everything in a large bowl.",
    "Cook gently for {minutes} minutes.",
    "Taste, and add salt if it needs some.",
    "Let it rest for a moment before serving.",
]

Line = list[str]


def read(text: str) -> list[Line]:
    """Read lines of "how much|generic name|what was done to it", parted by semicolons."""
    return [line.strip().split("|") for line in text.split(";")]


def recipe(draw: random.Random, dish: str, first: Line) -> dict[str, str]:
    """Return the row of one recipe."""
    lines = [first, *read(DISHES[dish]), *draw.sample(read(EXTRAS), draw.randint(1, 4))]
    steps = [step for step in STEPS if draw.random() < 0.7] or STEPS[1:3]
    heat = {"degrees": draw.choice([160, 180, 200, 220]), "minutes": draw.randrange(10, 60, 5)}
    return {
        "title": f"{dish} with {first[1].title()}",
        "ingredients": json.dumps([shown(*line) for line in lines]),
        "directions": json.dumps([step.format(**heat) for step in steps]),
        "NER": json.dumps(list(dict.fromkeys(name for _, name, _ in lines))),
    }


def shown(amount: str, name: str, done: str) -> str:
    """Write an ingredient as a recipe has it."""
    return f"{amount} {name}, {done}" if done else f"{amount} {name}"


def main(folder: Path) -> None:
    """Write the three files."""
    draw = random.Random(101)
    pairs = [(dish, first) for dish in DISHES for first in read(MAINS)]
    rows = [recipe(draw, *pair) for pair in draw.sample(pairs, sum(ROWS.values()))]
    for name, count in ROWS.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows.pop() for _ in range(count))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
