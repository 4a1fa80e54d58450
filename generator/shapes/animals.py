"""Dogs, rabbits, fish and penguins. All of them look towards -y."""

from generator.shapes.category import Category
from generator.shapes.form import FORWARD, MAIN, SECOND, SIDES, Form, Vector


def eyes(form: Form, half_gap: float, y: float, z: float, radius: float = 0.085) -> None:
    for side in SIDES:
        form.ball("black", (side * half_gap, y, z), radius)


def _dog(form: Form, style: str) -> None:
    head = form.between(0.36, 0.42)
    match style:
        case "standing":
            length = form.between(0.5, 0.58)
            form.rod(MAIN, (0, -length + 0.12, 0.86), (0, length - 0.12, 0.82), 0.34)
            _legs(form, length - 0.08, 0.6)
            _tail(form, (0, length + 0.12, 1.0), (0, length + 0.38, 1.4))
            neck, at = (0, -length + 0.02, 1.12), (-length - 0.12, 1.42)
        case "long":
            length = form.between(0.82, 0.94)
            form.rod(MAIN, (0, -length + 0.12, 0.5), (0, length - 0.12, 0.48), 0.3)
            _legs(form, length - 0.1, 0.3)
            _tail(form, (0, length + 0.1, 0.6), (0, length + 0.36, 0.94))
            neck, at = (0, -length, 0.74), (-length - 0.14, 1.02)
        case _:
            form.ellipsoid(MAIN, (0, 0.16, 0.42), (0.48, 0.5, 0.44))
            form.ellipsoid(MAIN, (0, -0.06, 0.78), (0.38, 0.36, 0.56))
            for side in SIDES:
                form.rod(MAIN, (side * 0.2, -0.34, 0.66), (side * 0.2, -0.4, 0.2), 0.14)
                form.ellipsoid(SECOND, (side * 0.2, -0.48, 0.13), (0.18, 0.25, 0.15))
                form.ellipsoid(SECOND, (side * 0.44, -0.14, 0.13), (0.16, 0.28, 0.15))
            _tail(form, (0, 0.6, 0.3), (0, 0.84, 0.7))
            neck, at = (0, -0.1, 1.2), (-0.2, 1.5)
    y, z = at
    form.ring(SECOND, neck, 0.27, 0.1, turn=(20, 0, 0))
    form.ellipsoid(MAIN, (0, y, z), (head * 1.04, head * 0.92, head * 0.96), plain=True)
    form.ellipsoid(SECOND, (0, y - head * 0.98, z - head * 0.3), (head * 0.5, head * 0.66, head * 0.4))
    form.ellipsoid("black", (0, y - head * 1.56, z - head * 0.14), (0.12, 0.1, 0.09))
    form.ellipsoid("pink", (0, y - head * 1.24, z - head * 0.72), (0.11, 0.14, 0.07), turn=(40, 0, 0))
    eyes(form, head * 0.46, y - head * 0.76, z + head * 0.26)
    for side in SIDES:
        ear = (side * head * 1.02, y + 0.04, z - head * 0.02)
        form.ellipsoid(SECOND, ear, (0.12, head * 0.52, head * 0.86), turn=(0, -side * 14, 0))


def _legs(form: Form, y: float, top: float) -> None:
    for side in SIDES:
        for end in SIDES:
            form.rod(MAIN, (side * 0.2, end * y, top), (side * 0.2, end * y, 0.22), 0.145)
            form.ellipsoid(SECOND, (side * 0.2, end * y - 0.05, 0.13), (0.18, 0.23, 0.16))


def _tail(form: Form, root: Vector, tip: Vector) -> None:
    form.rod(MAIN, root, tip, 0.12, plain=True)
    form.ball(SECOND, tip, 0.16)


def _rabbit(form: Form, style: str) -> None:
    head, long = form.between(0.36, 0.41), form.between(0.4, 0.48)
    match style:
        case "upright":
            form.ellipsoid(MAIN, (0, 0, 0.62), (0.42, 0.38, 0.6))
            form.ellipsoid(SECOND, (0, -0.2, 0.58), (0.29, 0.24, 0.42))
            for side in SIDES:
                form.ellipsoid(SECOND, (side * 0.26, -0.22, 0.1), (0.18, 0.36, 0.13))
                form.rod(MAIN, (side * 0.36, -0.08, 0.86), (side * 0.14, -0.46, 0.7), 0.12, plain=True)
            form.cone("orange", (0, -0.54, 0.72), 0.3, 0.03, 0.14, 0.02, turn=(0, 20, 0))
            form.ellipsoid("green", (0.12, -0.54, 1.04), (0.13, 0.13, 0.12))
            tail, at = (0, 0.42, 0.34), (-0.04, 1.4)
        case "lop-eared":
            form.ellipsoid(MAIN, (0, 0.24, 0.48), (0.52, 0.68, 0.5))
            for side in SIDES:
                form.ellipsoid(MAIN, (side * 0.36, 0.46, 0.32), (0.24, 0.36, 0.32), plain=True)
                form.ellipsoid(SECOND, (side * 0.22, -0.5, 0.12), (0.16, 0.26, 0.14))
            tail, at = (0, 0.94, 0.42), (-0.5, 0.82)
        case _:
            form.ellipsoid(MAIN, (0, 0.2, 0.5), (0.44, 0.56, 0.5))
            form.ellipsoid(MAIN, (0, -0.14, 0.66), (0.33, 0.34, 0.48))
            for side in SIDES:
                form.ellipsoid(MAIN, (side * 0.38, 0.3, 0.34), (0.2, 0.38, 0.34), plain=True)
                form.ellipsoid(SECOND, (side * 0.36, 0.02, 0.12), (0.16, 0.38, 0.14))
                form.rod(SECOND, (side * 0.16, -0.38, 0.44), (side * 0.16, -0.44, 0.14), 0.13)
            tail, at = (0, 0.8, 0.4), (-0.26, 1.24)
    y, z = at
    form.ball(SECOND, tail, 0.21)
    form.ellipsoid(MAIN, (0, y, z), (head * 1.02, head * 0.96, head * 0.94), plain=True)
    for side in SIDES:
        form.ellipsoid(
            SECOND, (side * head * 0.3, y - head * 0.8, z - head * 0.34), (head * 0.36, head * 0.3, head * 0.28)
        )
        if style == "lop-eared":
            ear = (side * head * 1.14, y + 0.04, z - 0.8 * long + 0.2)
            form.ellipsoid(SECOND, ear, (0.13, 0.2, long * 1.06), turn=(0, -side * 14, 0))
        else:
            ear = (side * head * 0.62, y + 0.08, z + head * 0.7 + long * 0.9)
            form.ellipsoid(SECOND, ear, (0.17, 0.12, long * 1.1), turn=(-8, side * 14, 0))
    form.ball("pink", (0, y - head * 1.02, z - head * 0.12), 0.075)
    eyes(form, head * 0.5, y - head * 0.76, z + head * 0.2)


def _fish(form: Form, style: str) -> None:
    match style:
        case "long":
            length, wide = form.between(1.05, 1.2), form.between(0.34, 0.4)
            form.ellipsoid(MAIN, (0, 0, 0), (wide, length, wide * 1.06))
            form.frustum(SECOND, (0, 0.0, wide + 0.16), 0.24, (0.08, 0.3), (0.06, 0.07), turn=(-28, 0, 0))
            tall, eye, gap = wide * 1.06, (-length * 0.68, wide * 0.28), wide * 0.6
            tail, fan, fin = length * 0.96, 0.5, (-0.28, -wide * 0.4)
        case "tall":
            length, tall, wide = form.between(0.62, 0.7), form.between(0.6, 0.68), 0.27
            form.ellipsoid(MAIN, (0, 0, 0), (wide, length, tall))
            for up in SIDES:
                place = (0, 0.34, up * (tall + 0.14))
                form.ellipsoid(SECOND, place, (0.08, 0.2, 0.58), turn=(-up * 38, 0, 0))
            eye, gap = (-length * 0.6, tall * 0.2), 0.18
            tail, fan, fin = length * 0.96, 0.36, (0.0, -0.1)
        case _:
            length, tall, wide = form.between(0.68, 0.76), form.between(0.54, 0.6), 0.48
            form.ellipsoid(MAIN, (0, 0, 0), (wide, length, tall))
            form.ellipsoid(SECOND, (0, 0.12, tall - 0.02), (0.09, 0.4, 0.28), turn=(-10, 0, 0))
            form.ellipsoid(SECOND, (0, 0.22, -tall + 0.06), (0.08, 0.2, 0.18), turn=(-30, 0, 0))
            eye, gap = (-length * 0.66, tall * 0.26), 0.31
            tail, fan, fin = length * 0.94, 0.44, (-0.1, -0.12)
    for up in SIDES:
        place = (0, tail + fan * 0.5, up * fan * 0.5)
        form.ellipsoid(SECOND, place, (0.1, fan * 0.78, fan * 0.42), turn=(up * 42, 0, 0))
    for side in SIDES:
        place = (side * (wide + 0.13), *fin)
        form.ellipsoid(SECOND, place, (0.28, 0.19, 0.08), turn=(0, side * 30, side * 24))
        form.ball("white", (side * gap, *eye), 0.15)
        form.ball("black", (side * (gap + 0.06), eye[0] - 0.07, eye[1] + 0.01), 0.095)
    form.ring("pink", (0, -length * 0.98, -tall * 0.1), 0.09, 0.06, turn=FORWARD)


def _penguin(form: Form, style: str) -> None:
    match style:
        case "sliding":
            length = form.between(0.74, 0.84)
            form.ellipsoid(MAIN, (0, 0.1, 0.44), (0.5, length, 0.43))
            form.ellipsoid("white", (0, 0.0, 0.36), (0.42, length * 0.94, 0.37))
            for side in SIDES:
                form.ellipsoid(
                    MAIN, (side * 0.64, 0.1, 0.46), (0.4, 0.2, 0.08), turn=(0, side * 8, side * 34), plain=True
                )
                form.ellipsoid("orange", (side * 0.22, length + 0.16, 0.3), (0.15, 0.24, 0.08))
            form.ring(SECOND, (0, -0.56, 0.66), 0.31, 0.14, turn=(48, 0, 0))
            form.rod(SECOND, (0.22, -0.28, 0.86), (0.32, 0.18, 0.9), 0.12)
            head, at = form.between(0.36, 0.4), (-0.8, 0.86)
        case "baby":
            body, head = form.between(0.5, 0.56), form.between(0.42, 0.46)
            form.ellipsoid(MAIN, (0, 0, body), (body, body * 0.92, body))
            form.ellipsoid("white", (0, -0.12, body * 0.92), (body * 0.8, body * 0.86, body * 0.82))
            _upright_limbs(form, body, body * 1.05, 0.28)
            _scarf(form, 0.4, body * 1.76)
            at = (-0.04, body * 1.76 + head * 0.8)
        case _:
            body, head = form.between(0.44, 0.5), form.between(0.33, 0.37)
            form.ellipsoid(MAIN, (0, 0, 0.74), (body, body * 0.9, 0.72))
            form.ellipsoid("white", (0, -0.12, 0.66), (body * 0.8, body * 0.84, 0.6))
            _upright_limbs(form, body, 0.86, 0.42)
            _scarf(form, 0.32, 1.3)
            at = (-0.04, 1.36 + head * 0.74)
    y, z = at
    form.ball(MAIN, (0, y, z), head, plain=True)
    for side in SIDES:
        form.ellipsoid(
            "white", (side * head * 0.36, y - head * 0.5, z - head * 0.02), (head * 0.44, head * 0.5, head * 0.52)
        )
    eyes(form, head * 0.38, y - head * 0.92, z + head * 0.16, 0.08)
    form.cone("orange", (0, y - head * 1.14, z - head * 0.14), 0.17, 0.13, 0.02, turn=FORWARD)


def _upright_limbs(form: Form, body: float, shoulder: float, length: float) -> None:
    for side in SIDES:
        place = (side * (body + 0.1), 0, shoulder)
        form.ellipsoid(MAIN, place, (0.09, 0.19, length), turn=(0, -side * 24, 0), plain=True)
        form.ellipsoid("orange", (side * 0.22, -0.16, 0.06), (0.18, 0.3, 0.09))
    form.cone(MAIN, (0, body * 0.84, 0.2), 0.2, 0.16, 0.04, turn=(-64, 0, 0), plain=True)


def _scarf(form: Form, radius: float, z: float) -> None:
    form.ring(SECOND, (0, -0.02, z), radius, 0.14)
    form.rod(SECOND, (0.2, -radius - 0.02, z - 0.04), (0.26, -radius - 0.16, z - 0.42), 0.11)
    form.rod(SECOND, (-0.16, radius - 0.02, z - 0.04), (-0.2, radius + 0.14, z - 0.36), 0.11)


CATEGORIES: dict[str, Category] = {
    "dog": Category(
        build=_dog,
        main="fur",
        second="ears",
        styles=("sitting", "standing", "long"),
        natural=("beige", "brown"),
        synonyms=("puppy", "hound", "doggy"),
    ),
    "rabbit": Category(
        build=_rabbit,
        main="fur",
        second="ears",
        styles=("sitting", "upright", "lop-eared"),
        natural=("grey", "white"),
        synonyms=("bunny", "hare"),
    ),
    "fish": Category(
        build=_fish,
        main="body",
        second="fins",
        styles=("round", "long", "tall"),
        natural=("orange", "yellow"),
        synonyms=("goldfish",),
    ),
    "penguin": Category(
        build=_penguin,
        main="coat",
        second="scarf",
        styles=("standing", "baby", "sliding"),
        natural=("black", "red"),
    ),
}
